"""Whatever a carrier sends in form of a deliver_sm is answered, and neither the bind nor the memory suffers."""

import random
from pathlib import Path

import pytest

from gateway.delivery.settings import MessageIdForm
from gateway.message import Status
from gateway.smpp import DeliverSm, Tlv, TlvTag
from gateway.store.settings import StoreSettings
from gateway.store.sqlite import SqliteStore
from tests.delivery.rig import running
from tests.delivery.samples import bind_settings, carrier_settings, eventually
from tests.delivery.scripted_smsc import accept, scripted

STATE = Tlv(TlvTag.MESSAGE_STATE, b"\x02")
EXTREMES = {
    "an id of 60,000 decimal digits": (Tlv(TlvTag.RECEIPTED_MESSAGE_ID, b"9" * 60_000), STATE),
    "an id of 60,000 hexadecimal digits": (Tlv(TlvTag.RECEIPTED_MESSAGE_ID, b"f" * 60_000), STATE),
    "an empty id": (Tlv(TlvTag.RECEIPTED_MESSAGE_ID, b""), STATE),
    "a reference of 60,000 octets": (Tlv(TlvTag.USER_MESSAGE_REFERENCE, b"\xff" * 60_000),),
    "a reference of nine octets": (Tlv(TlvTag.USER_MESSAGE_REFERENCE, b"\xff" * 9),),
    "a state of 60,000 octets": (Tlv(TlvTag.MESSAGE_STATE, b"\x02" * 60_000),),
    "an error of 60,000 octets": (Tlv(TlvTag.NETWORK_ERROR_CODE, b"\x03" * 60_000),),
    "a text of 60,000 digits": (Tlv(TlvTag.MESSAGE_PAYLOAD, b"id:" + b"9" * 60_000),),
    "a cause of 60,000 digits": (Tlv(TlvTag.MESSAGE_PAYLOAD, b"id:1 stat:UNDELIV err:" + b"9" * 60_000),),
}


def a_store(directory: Path) -> SqliteStore:
    return SqliteStore(StoreSettings(path=str(directory), late_change_seconds=0.02, disk_reserve_bytes=0))


@pytest.mark.parametrize("form", MessageIdForm)
async def test_a_receipt_of_any_size_is_answered_and_the_bind_stays(form: MessageIdForm, tmp_path: Path):
    async with scripted(accept("a")) as smsc:
        settings = carrier_settings(bind_settings(smsc.port), message_id=form)
        async with running(settings, store=a_store(tmp_path)) as rig:
            record = await rig.accept()
            await eventually(lambda: record.status is Status.SUBMITTED)
            for name, tlvs in EXTREMES.items():
                body = DeliverSm(source_addr="8613800138000", destination_addr="10690001", esm_class=4, tlvs=tlvs)
                assert await smsc.deliver(body) == 0, name
            assert smsc.bind_count == 1


@pytest.mark.parametrize("seed", range(3))
async def test_any_octets_in_a_deliver_sm_are_answered_and_the_bind_stays(seed: int, tmp_path: Path):
    chance = random.Random(seed)
    tags = [*TlvTag, 0x1403]
    async with scripted(accept("a")) as smsc:
        forms = [*MessageIdForm]
        settings = carrier_settings(bind_settings(smsc.port), message_id=forms[seed])
        async with running(settings, store=a_store(tmp_path)) as rig:
            record = await rig.accept()
            await eventually(lambda: record.status is Status.SUBMITTED)
            sent = [smsc.send(any_deliver_sm(chance, tags)) for _ in range(300)]
            await eventually(lambda: all(smsc.answer_to(each) == 0 for each in sent), seconds=20.0)
            assert smsc.bind_count == 1


def any_deliver_sm(chance: random.Random, tags: list[int]) -> DeliverSm:
    """One whose fields are all legal, and mean anything or nothing."""
    sizes = [0, 1, 2, 3, 8, 9, 17, 65, 300]
    return DeliverSm(
        source_addr=chance.choice(["8613800138000", "", "\xff\xfe", "0" * 20]),
        destination_addr=chance.choice(["10690001", "", "x" * 20]),
        esm_class=chance.choice([0, 4, 4, 0x20, 0x40, 0x44, 0xFF, chance.randrange(256)]),
        data_coding=chance.choice([0, 3, 8, 0xF0, 0xF7, chance.randrange(256)]),
        short_message=chance.choice(
            [
                chance.randbytes(chance.choice(sizes[:-1])),
                b"id:" + chance.randbytes(40) + b" stat:" + chance.randbytes(7),
                b"\x05\x00\x03" + chance.randbytes(10),
                b"\x06\x08\x04" + chance.randbytes(10),
            ]
        ),
        tlvs=tuple(
            Tlv(int(chance.choice(tags)), chance.randbytes(chance.choice(sizes)))
            for _ in range(chance.choice([0, 0, 1, 2, 5]))
        ),
    )
