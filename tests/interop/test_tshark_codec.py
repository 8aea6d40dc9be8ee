"""What our codec writes, as tshark reads it: every PDU, every optional parameter, every coding of a text."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from gateway.smpp import (
    CommandStatus,
    DataSm,
    DataSmResp,
    Pdu,
    QuerySmResp,
    SmeAddress,
    SubmitMulti,
    SubmitSm,
    Tlv,
    TlvTag,
    encode,
    find_tlv,
    make_tlv,
)
from gateway.smpp.tlvs import VALUE_TYPES, IntegerValue, OctetsValue, TextValue
from gateway.text import Coding, cut
from gateway.text.coding import BASIC, ESCAPE, EXTENSION
from tests.interop.capture import Dissected, Reading, moment, read_capture, write_capture
from tests.smpp.test_golden import PDUS

pytestmark = pytest.mark.interop

Value = int | float | str | bytes | datetime | None

PORT = 2775
OCTETS = b"\xaa\xbb\xcc\xdd\xee\xff\x00\x11\x22\x33"

# Times as SMPP writes them (3.4, section 7.1.1), and what they mean: seconds from now, or a moment.
TIMES: dict[str, float | datetime] = {
    "000002000000000R": 172_800.0,
    "000000010000000R": 3_600.0,
    "261122073000032+": datetime(2026, 11, 21, 23, 30, tzinfo=UTC),
}

# Fields of bits (SMPP 3.4, sections 5.2.12 and 5.2.17): what tshark calls them, their shift and mask.
BITS = {
    "esm_class": [("esm.submit.msg_mode", 0, 0x03), ("esm.submit.msg_type", 2, 0x0F), ("esm.submit.features", 6, 0x03)],
    "registered_delivery": [("regdel.receipt", 0, 0x03), ("regdel.acks", 2, 0x03), ("regdel.notif", 4, 0x01)],
}

# Parameters that tshark shows under other names than their own, or in pieces: a value, and what it shows.
# None: it shows that something is there, not what.
SHOWN_OTHERWISE: dict[TlvTag, tuple[int | str | bytes, dict[str, Value]]] = {
    TlvTag.SC_INTERFACE_VERSION: (0x34, {"SC_interface_version": 0x34}),
    TlvTag.MS_MSG_WAIT_FACILITIES: (0x81, {"msg_wait.ind": 1, "msg_wait.type": 1}),
    TlvTag.CALLBACK_NUM_PRES_IND: (0b0110, {"callback_num.pres": 1, "callback_num.scrn": 2}),
    TlvTag.CALLBACK_NUM: (OCTETS, {"callback_num": None}),
    TlvTag.CALLBACK_NUM_ATAG: (OCTETS, {"callback_num_atag": None}),
    TlvTag.NETWORK_ERROR_CODE: (b"\3\1\2", {"network_error.type": 3, "network_error.code": 0x0102}),
    TlvTag.MS_VALIDITY: (b"\2", {"ms_validity": 2}),
    TlvTag.ALERT_ON_MESSAGE_DELIVERY: (b"\2", {"alert_on_message_delivery_type": 2}),
    TlvTag.ITS_SESSION_INFO: (b"\7\5", {"its_session.number": 7, "its_session.sequence": 2, "its_session.ind": 1}),
    TlvTag.BROADCAST_CONTENT_TYPE: (b"\1\0\2", {"broadcast_content_type.nw": 1, "broadcast_content_type.type": 2}),
    TlvTag.BROADCAST_CONTENT_TYPE_INFO: (OCTETS, {"broadcast_content_type.info": OCTETS}),
    TlvTag.BROADCAST_FREQUENCY_INTERVAL: (
        b"\x09\1\2",
        {"broadcast_frequency_interval.unit": 9, "broadcast_frequency_interval.value": 0x0102},
    ),
    TlvTag.BROADCAST_AREA_IDENTIFIER: (
        b"\0\1\2",
        {"broadcast_area_identifier.format": 0, "broadcast_area_identifier": b"\0\1\2"},
    ),
    TlvTag.BROADCAST_END_TIME: ("261122073000032+", {"broadcast_end_time": TIMES["261122073000032+"]}),
    TlvTag.BILLING_IDENTIFICATION: (OCTETS, {"billing_id": OCTETS}),
    TlvTag.DEST_ADDR_NP_INFORMATION: (OCTETS, {"dest_addr_np_info": OCTETS}),
}

# What tshark 4.0 reads wrongly; so its octets are worked out by hand.
READ_WRONGLY = {
    "broadcast_rep_num: two octets (SMPP 5.0, section 4.8.4), read as one": (
        make_tlv(TlvTag.BROADCAST_REP_NUM, 0x0102),
        "06 04 00 02 01 02",
    ),
    "ms_validity: one octet (3.4) or four (5.0), always read as one": (
        make_tlv(TlvTag.MS_VALIDITY, b"\0\1\0\5"),
        "12 04 00 04 00 01 00 05",
    ),
    "sar_total_segments: read as one octet where a peer writes two": (
        Tlv(TlvTag.SAR_TOTAL_SEGMENTS, b"\0\2"),
        "02 0e 00 02 00 02",
    ),
}
LEFT_OUT = {TlvTag.BROADCAST_REP_NUM}


def without_what_is_read_wrongly(pdu: Pdu) -> Pdu:
    """The golden submit_multi with a sar_total_segments of one octet."""
    multi = pdu.body
    assert isinstance(multi, SubmitMulti)
    right = make_tlv(TlvTag.SAR_TOTAL_SEGMENTS, 2)
    tlvs = tuple(right if tlv.tag == right.tag else tlv for tlv in multi.tlvs)
    return msgspec.structs.replace(pdu, body=msgspec.structs.replace(multi, tlvs=tlvs))


# The golden PDUs, and more where a golden one is a refusal: of those tshark reads no more than the header.
GOLDEN: dict[str, Pdu] = {
    **PDUS,
    "submit_multi": without_what_is_read_wrongly(PDUS["submit_multi"]),
    "submit_multi to 254": Pdu(
        0, 5, SubmitMulti(dest_addresses=tuple(SmeAddress(destination_addr=f"86138{n:08}") for n in range(254)))
    ),
    "data_sm_resp accepted": Pdu(0, 10, DataSmResp(message_id="d-1")),
    "query_sm_resp on its way": Pdu(0, 11, QuerySmResp(message_id="ab", message_state=1, error_code=255)),
}


def cut_within_bodies(pdus: list[bytes]) -> list[bytes]:
    """Segments that end in the middle of a PDU. No header is cut: tshark 4.0 does not know a PDU by less than all."""
    pieces = [b""]
    for pdu in pdus:
        middle = (16 + len(pdu)) // 2
        pieces[-1] += pdu[:middle]
        pieces.append(pdu[middle:])
    return [piece for piece in pieces if piece]


SEGMENTATIONS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a PDU a segment": list,
    "all PDUs in one segment": lambda pdus: [b"".join(pdus)],
    "PDUs across segments": cut_within_bodies,
}


def read(directory: Path, pdus: list[Pdu], segmented: Callable[[list[bytes]], list[bytes]] = list) -> Reading:
    """Write PDUs into a capture, and let tshark read it."""
    path = directory / "written.pcap"
    write_capture(path, segmented([encode(pdu) for pdu in pdus]), port=PORT)
    return read_capture(path, port=PORT)


@pytest.mark.parametrize("segmentation", SEGMENTATIONS)
def test_every_pdu_reads_as_its_golden_values(tmp_path: Path, segmentation: str) -> None:
    pdus = list(GOLDEN.values())
    reading = read(tmp_path, pdus, SEGMENTATIONS[segmentation])
    assert reading.faults() == []
    assert [pdu.octets for pdu in reading.pdus] == [encode(pdu) for pdu in pdus]
    for name, dissected in zip(GOLDEN, reading.pdus, strict=True):
        check(dissected, GOLDEN[name])


def test_every_optional_parameter_reads_as_its_value(tmp_path: Path) -> None:
    pdus = [
        Pdu(0, number, DataSm(tlvs=(make_tlv(tag, sample_value(tag)),)))
        for number, tag in enumerate(TlvTag, 1)
        if tag not in LEFT_OUT
    ]
    reading = read(tmp_path, pdus)
    assert reading.faults() == []
    for dissected, pdu in zip(reading.pdus, pdus, strict=True):
        check(dissected, pdu)


@pytest.mark.parametrize("fault", READ_WRONGLY)
def test_a_parameter_that_tshark_reads_wrongly_is_right_by_hand(fault: str) -> None:
    tlv, octets = READ_WRONGLY[fault]
    assert encode(Pdu(0, 1, DataSm(tlvs=(tlv,)))).hex(" ").endswith(octets)


TEXTS = {
    Coding.GSM7: "".join(character for code, character in enumerate(BASIC) if code != ESCAPE)
    + "".join(EXTENSION.values()),
    Coding.LATIN1: bytes([*range(0x20, 0x7F), *range(0xA0, 0x100)]).decode("latin-1"),
    Coding.UCS2: "【阳光物业】停水通知：12月3日（周四）8:30—17:30。\nЖ ع あ 한 €\u00a0🎉👨‍👩‍👧\U00020000",
}


@pytest.mark.parametrize("coding", TEXTS, ids=[coding.name for coding in TEXTS])
@pytest.mark.parametrize("wide_reference", [False, True])
def test_parts_of_a_text_carry_their_numbers_and_join_to_it(
    tmp_path: Path, coding: Coding, *, wide_reference: bool
) -> None:
    text = TEXTS[coding] * 7
    reference = 0xABCD if wide_reference else 0xAB
    segments = cut(text, reference=reference, wide_reference=wide_reference, coding=coding)
    total = len(segments.parts)
    assert total > 2
    reading = read(
        tmp_path,
        [
            Pdu(0, number, SubmitSm(esm_class=segments.esm_class, data_coding=coding, short_message=part))
            for number, part in enumerate(segments.parts, 1)
        ],
    )
    assert reading.faults() == []
    names = ("gsm_sms.udh.mm.msg_id", "gsm_sms.udh.mm.msg_parts", "gsm_sms.udh.mm.msg_part")
    places = [[pdu.number(name) for name in names] for pdu in reading.pdus]
    assert places == [[reference, total, number] for number in range(1, total + 1)]
    assert "".join(pdu.text("smpp.message_text") for pdu in reading.pdus) == text


@pytest.mark.parametrize("coding", TEXTS, ids=[coding.name for coding in TEXTS])
def test_parts_of_a_text_without_a_header_join_to_it(tmp_path: Path, coding: Coding) -> None:
    text = TEXTS[coding] * 7
    segments = cut(text, reference=0, coding=coding, udh=False)
    reading = read(tmp_path, [Pdu(0, 1, SubmitSm(data_coding=coding, short_message=part)) for part in segments.parts])
    assert reading.faults() == []
    assert "".join(pdu.text("smpp.message_text") for pdu in reading.pdus) == text


def damaged(changes: dict[int, int], *, extra: bytes = b"") -> bytes:
    """The golden submit_sm with octets changed, counted from its end where negative, and some put behind it."""
    octets = bytearray(encode(PDUS["submit_sm"]) + extra)
    for place, octet in changes.items():
        octets[place] = octet
    return bytes(octets)


@pytest.mark.parametrize(
    "octets",
    [
        damaged({3: 99}),
        damaged({3: 101}, extra=b"\0"),
        damaged({-3: 3}),
        damaged({-3: 1}),
        damaged({43: ord("9")}),
        damaged({}, extra=b"\1"),
    ],
    ids=[
        "command_length one short",
        "an octet behind the last parameter",
        "a parameter longer than the PDU",
        "a parameter shorter than what is there",
        "a string without its NUL",
        "an octet behind the PDU",
    ],
)
def test_damage_is_seen(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "damaged.pcap"
    write_capture(path, [octets], port=PORT)
    assert read_capture(path, port=PORT).faults() != []


# --- what tshark should show ------------------------------------------------------------------------------------------


def check(dissected: Dissected, pdu: Pdu) -> None:
    """Compare every field that tshark shows of a PDU with the value that went in."""
    expected = defaultdict[str, list[Value]](list)
    for name, value in (*header(pdu), *body(pdu)):
        expected[name].append(value)
    for name, values in expected.items():
        shown = dissected.all(f"smpp.{name}")
        assert len(shown) == len(values), f"{name} of {pdu}"
        assert [read_as(value, text) for value, text in zip(values, shown, strict=True)] == values, f"{name} of {pdu}"


def header(pdu: Pdu) -> Iterator[tuple[str, Value]]:
    yield "command_length", len(encode(pdu))
    yield "command_id", pdu.command_id
    yield "sequence_number", pdu.sequence_number
    if pdu.command_id & 0x80000000:
        yield "command_status", pdu.command_status


def body(pdu: Pdu) -> Iterator[tuple[str, Value]]:
    """Everything behind the header. Of a refusal tshark shows nothing more."""
    if pdu.command_status == CommandStatus.ESME_ROK:
        for name, value in msgspec.structs.asdict(pdu.body).items():
            yield from field(name, value)


def field(name: str, value: object) -> Iterator[tuple[str, Value]]:
    match value:
        case int():
            for each, shift, mask in BITS.get(name, [(name, 0, -1)]):
                yield each, value >> shift & mask
        case str() if value:  # of an empty string tshark shows nothing, or a word of its own
            meaning = TIMES.get(value, value)
            yield f"{name}_r" if isinstance(meaning, float) else name, meaning
        case bytes():
            yield "sm_length", len(value)
            if value:
                yield "message", value
        case tuple():
            for record in value:
                yield from parameter(record) if isinstance(record, Tlv) else destination(record)


def destination(record: msgspec.Struct) -> Iterator[tuple[str, Value]]:
    for name, value in msgspec.structs.asdict(record).items():
        yield from field(name, value)


def parameter(tlv: Tlv) -> Iterator[tuple[str, Value]]:
    yield "opt_param_tag", tlv.tag
    yield "opt_param_len", len(tlv.value)
    if tlv.tag not in set(TlvTag):
        yield "vendor_op", tlv.value
        return
    tag = TlvTag(tlv.tag)
    if tag in SHOWN_OTHERWISE:
        sample, shown = SHOWN_OTHERWISE[tag]
        assert make_tlv(tag, sample) == tlv
        yield from shown.items()
    else:
        yield tag.name.lower(), find_tlv((tlv,), tag)


def sample_value(tag: TlvTag) -> int | str | bytes:
    """A value that the parameter may have."""
    if tag in SHOWN_OTHERWISE:
        return SHOWN_OTHERWISE[tag][0]
    match VALUE_TYPES[tag]:
        case IntegerValue(octets=octets):
            return int.from_bytes(OCTETS[:octets], "big")
        case TextValue():
            return "id-0123456"
        case OctetsValue(smallest=smallest):
            return OCTETS[: max(3, smallest)]


def read_as(value: Value, shown: str) -> Value:
    """What tshark shows, as a value of the same kind."""
    match value:
        case int():
            return int(shown, 0)
        case float():
            return float(shown)
        case bytes():
            return bytes.fromhex(shown.replace(":", ""))
        case datetime():
            return moment(shown)
        case None:
            return None
        case _:
            return shown
