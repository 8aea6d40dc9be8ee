"""The splitter: any chunking gives the same PDUs, in linear time, with a limit on each."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp import DeliverSm, EnquireLink, Pdu, Splitter, SubmitSm, Tlv, encode

LIMIT = 4096
STREAM = [
    encode(Pdu(0, 1, EnquireLink())),
    encode(Pdu(0, 2, SubmitSm(destination_addr="861", short_message=b"m" * 200))),
    encode(Pdu(0, 3, EnquireLink())),
    encode(Pdu(0, 4, DeliverSm(tlvs=(Tlv(0x424, b"p" * 4000),)))),
]


@given(st.lists(st.integers(1, 5000), max_size=60))
def test_any_chunking_gives_the_same_pdus(sizes: list[int]):
    splitter, stream, cut = Splitter(LIMIT), b"".join(STREAM * 3), []
    for size in [*sizes, len(stream)]:
        cut += splitter.cut(stream[:size])
        stream = stream[size:]
    assert cut == STREAM * 3
    assert splitter.error is None
    assert splitter.buffered_bytes == 0


@pytest.mark.parametrize("length", [0, 1, 15, LIMIT + 1, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_length_that_no_pdu_can_have_comes_behind_the_pdus_before_it(length: int):
    splitter = Splitter(LIMIT)
    bad = length.to_bytes(4, "big") + STREAM[0][4:]
    assert splitter.cut(STREAM[1] + bad + STREAM[2]) == [STREAM[1]]
    assert splitter.error is not None
    assert (splitter.error.command_id, splitter.error.sequence_number) == (0x15, 1)
    assert splitter.cut(STREAM[0]) == []
    assert splitter.buffered_bytes == 0


def test_a_pdu_of_just_the_limit_passes():
    splitter = Splitter(16)
    assert splitter.cut(STREAM[0]) == [STREAM[0]]
    assert splitter.error is None


def test_what_is_buffered_stays_below_one_pdu():
    splitter = Splitter(LIMIT)
    splitter.cut(LIMIT.to_bytes(4, "big"))
    for _ in range(10 * LIMIT):
        splitter.cut(b"x")
        assert splitter.buffered_bytes < LIMIT or splitter.error


def seconds_for(octets: int) -> float:
    splitter = Splitter(1 << 24)
    splitter.cut(octets.to_bytes(4, "big"))
    start = time.perf_counter()
    for _ in range(octets - 5):
        splitter.cut(b"x")
    elapsed = time.perf_counter() - start
    assert len(splitter.cut(b"x")) == 1
    return elapsed


def test_one_octet_at_a_time_costs_linear_time():
    small = min(seconds_for(20_000) for _ in range(3))
    large = min(seconds_for(200_000) for _ in range(3))
    assert large < 40 * small  # ten times the octets; quadratic would be a hundred
