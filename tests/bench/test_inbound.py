"""What messages from subscribers cost: those that are sent, for knowing whose a reply is, and those that come."""

import itertools
from typing import Any

import pytest

from gateway.delivery.inbound_parts import fingerprint_of, part_of
from gateway.delivery.last_sent import LastSent
from gateway.delivery.repeats import Repeats
from gateway.delivery.settings import Alphabet
from gateway.message import MessageId
from gateway.smpp import DeliverSm

pytestmark = pytest.mark.bench

BODY = DeliverSm(
    source_addr="8613800138000",
    destination_addr="10690001",
    esm_class=0x40,
    data_coding=8,
    short_message=b"\x05\x00\x03\x07\x02\x01" + "好的，知道了。".encode("utf-16-be"),
)


@pytest.mark.benchmark(group="a message that is sent")
def test_noting_the_last_message_to_a_phone(benchmark: Any) -> None:
    last = LastSent()
    phones = itertools.cycle([f"+86138{n:08}" for n in range(300_000)])
    message_id = MessageId(1 << 60)
    benchmark(lambda: last.note("10690001", next(phones), message_id))
    assert len(last) <= 200_000


@pytest.mark.benchmark(group="a message from a subscriber")
def test_reading_a_part_and_knowing_it_again(benchmark: Any) -> None:
    repeats: Repeats[None] = Repeats(settle_seconds=40.0, repeat_seconds=600.0)
    keys = itertools.count(1)

    def take() -> None:
        fingerprint = fingerprint_of(BODY)
        assert repeats.find(fingerprint, now=0.0) is None
        part_of(BODY, key=next(keys), fingerprint=fingerprint, carrier="cmcc-a", alphabet=Alphabet.GSM7, at=0)
        repeats.answered(repeats.came(fingerprint, None, None, now=0.0), now=0.0)

    benchmark(take)
