"""What is fuzzed: each target draws its input from `chance`, and raises when something is not as it must be."""

import random
from collections.abc import Callable, Mapping
from typing import Final

from gateway.delivery.fragments import read_fragment
from gateway.delivery.settings import Alphabet
from gateway.smpp import (
    CommandStatus,
    DataSm,
    DecodeError,
    DeliverSm,
    EnquireLink,
    Event,
    GenericNack,
    RequestReceived,
    Role,
    Session,
    SmppError,
    Splitter,
    Tlv,
    decode,
    encode,
    parse_receipt,
)
from gateway.smpp.states import UNANSWERED_COMMANDS
from gateway.text import (
    Coding,
    InboundPart,
    PartNumber,
    Reassembler,
    count_parts,
    cut,
    split_header,
)
from gateway.text import decode as decode_text
from gateway.text import encode as encode_text
from tests.fuzz.material import (
    RECEIPTS,
    any_body,
    any_pdu,
    any_text,
    chunks,
    damaged,
    relengthened,
    some_pdus,
)
from tests.smpp.schedules import SETTINGS, bound_session, check_end, run_schedule

RESPONSE_BIT: Final = 0x8000_0000
MOST_BUFFERED: Final = SETTINGS.max_pdu_bytes


def a_pdu_comes_back(chance: random.Random) -> None:
    """Whatever may be sent is read as it was."""
    pdu = any_pdu(chance)
    assert decode(encode(pdu)) == pdu


def a_damaged_pdu_is_refused_or_read(chance: random.Random) -> None:
    """Damage gives a DecodeError with a status, or a PDU that can be sent again and says the same."""
    data = damaged(chance, encode(any_pdu(chance)))
    try:
        pdu = decode(relengthened(data) if len(data) >= 16 and chance.random() < 0.9 else data)
    except DecodeError as error:
        if not error.command_status:
            raise AssertionError("a refusal with status 0 is none") from error
        return
    if not pdu.command_id.is_response:
        try:
            again = encode(pdu)
        except SmppError:
            return  # it is taken, and would not be sent: 255 octets, say
        assert decode(again) == pdu


def a_stream_is_cut_the_same_however_it_comes(chance: random.Random) -> None:
    """The same PDUs, the same error, and never more held than one PDU."""
    sent = [pdu for pdu in some_pdus(chance) if len(pdu) <= SETTINGS.max_pdu_bytes]
    is_damaged = chance.random() < 0.7
    stream = damaged(chance, b"".join(sent)) if is_damaged else b"".join(sent)
    whole, chunked = Splitter(SETTINGS.max_pdu_bytes), Splitter(SETTINGS.max_pdu_bytes)
    expected = whole.cut(stream)
    found: list[bytes] = []
    for chunk in chunks(chance, stream):
        found += chunked.cut(chunk)
        assert chunked.buffered_bytes < MOST_BUFFERED
    assert found == expected
    assert is_damaged or found == sent
    assert repr(chunked.error) == repr(whole.error)


def a_session_takes_any_damage(chance: random.Random) -> None:
    """Nothing raises; chunking changes nothing; the end comes last; no response is ever answered."""
    role = chance.choice([*Role])
    stream = damaged(chance, b"".join(some_pdus(chance)))
    whole, chunked = bound_session(role), bound_session(role)
    for session in (whole, chunked):
        session.send(EnquireLink(), now=0.0)
        session.data_to_send()
    expected = whole.receive_data(stream, now=1.0)
    events: list[Event] = []
    for chunk in chunks(chance, stream):
        events += chunked.receive_data(chunk, now=1.0)
    assert repr(events) == repr(expected)  # errors compare by identity
    check_end(events)
    answers = chunked.data_to_send()
    assert answers == whole.data_to_send()
    _check_answers(answers, _numbers_of_requests(stream))
    _answer_all(chunked, events)


def two_sessions_lose_and_double_nothing(chance: random.Random) -> None:
    """Each request ends in one way, whatever the schedule, the chunks and the damage."""
    run_schedule(chance)


def a_receipt_is_read_whatever_it_holds(chance: random.Random) -> None:
    """A receipt by its esm_class is one, and none of its words is longer than an id can be."""
    text = chance.choice(RECEIPTS)
    text = damaged(chance, text) if chance.random() < 0.9 else chance.randbytes(300)
    base = any_body(chance, chance.choice([DeliverSm, DataSm]))
    assert isinstance(base, DeliverSm | DataSm)
    tlvs = (*base.tlvs, Tlv(0x0424, text))
    data_coding = chance.choice([0, 3, 8, base.data_coding])
    if isinstance(base, DataSm):
        message: DeliverSm | DataSm = DataSm(esm_class=4, data_coding=data_coding, tlvs=tlvs)
    else:
        short = text[:254] if chance.random() < 0.7 else b""
        message = DeliverSm(esm_class=chance.choice([4, 0x44]), data_coding=data_coding, short_message=short, tlvs=tlvs)
    receipt = parse_receipt(message)
    assert receipt is not None
    assert max(map(len, (receipt.message_id, receipt.error, receipt.submitted, receipt.done))) <= 64
    assert receipt.user_message_reference is None or receipt.user_message_reference <= 0xFFFF


def a_text_comes_back_from_its_parts(chance: random.Random) -> None:
    """Cut, coded, decoded and joined in any order, it is what it was; and no part is longer than the air takes."""
    text, wide, udh = any_text(chance), chance.random() < 0.5, chance.random() < 0.7
    coding = chance.choice([None, None, Coding.UCS2])
    segments = cut(text, reference=chance.randrange(256), wide_reference=wide, coding=coding, udh=udh)
    total = len(segments.parts)
    assert total == count_parts(text, coding=coding, wide_reference=wide)
    if total == 1:
        assert decode_text(segments.parts[0], segments.coding) == text
        return
    parts = []
    for number, octets in enumerate(segments.parts, 1):
        place, body = split_header(octets) if udh else (PartNumber(7, total, number), octets)
        assert place is not None
        assert (place.total, place.number) == (total, number)
        parts.append(InboundPart(place, segments.coding, body))
    assert "".join(decode_text(part.data, part.coding) for part in parts) == text, "a pair was cut"
    chance.shuffle(parts)
    reassembler = Reassembler()
    ready = [each for part in parts for each in reassembler.add("1", "2", part, now=0.0)]
    assert [(each.text, each.missing) for each in ready] == [(text, ())]
    assert reassembler.held_octets == 0


def any_octets_are_some_text(chance: random.Random) -> None:
    """No octets are too damaged to be decoded, split or joined, and memory stays under its limit."""
    reassembler = Reassembler(timeout_seconds=10.0, limit_octets=5_000)
    now = 0.0
    for _ in range(chance.randrange(1, 30)):
        now += chance.choice([0.0, 1.0, 20.0])
        body = any_body(chance, chance.choice([DeliverSm, DataSm]))
        assert isinstance(body, DeliverSm | DataSm)
        fragment = read_fragment(body, chance.choice([*Alphabet]))
        decode_text(fragment.data, fragment.coding)
        if fragment.place is not None:
            part = InboundPart(fragment.place, fragment.coding, fragment.data)
            reassembler.add(chance.choice("ab"), "c", part, now=now)
        head = b"\x05\x00\x03\x01" + bytes((chance.randrange(5), chance.randrange(5)))
        place, octets = split_header(damaged(chance, head + encode_text("水", Coding.UCS2)))
        if place is not None:
            reassembler.add("a", "c", InboundPart(place, Coding.UCS2, octets), now=now)
        assert reassembler.held_octets <= 5_000
    reassembler.expire(now=now + 10.0)
    assert reassembler.held_octets == 0


TARGETS: Final[Mapping[str, Callable[[random.Random], object]]] = {
    target.__name__: target
    for target in (
        a_pdu_comes_back,
        a_damaged_pdu_is_refused_or_read,
        a_stream_is_cut_the_same_however_it_comes,
        a_session_takes_any_damage,
        two_sessions_lose_and_double_nothing,
        a_receipt_is_read_whatever_it_holds,
        a_text_comes_back_from_its_parts,
        any_octets_are_some_text,
    )
}


def _numbers_of_requests(stream: bytes) -> list[int]:
    """The sequence numbers that may be answered: of what is no response, and of what cannot be cut."""
    splitter = Splitter(SETTINGS.max_pdu_bytes)
    pdus = splitter.cut(stream)
    numbers = [int.from_bytes(pdu[12:16], "big") for pdu in pdus if not int.from_bytes(pdu[4:8], "big") & RESPONSE_BIT]
    error = splitter.error
    return [*numbers, error.sequence_number] if error and not error.command_id & RESPONSE_BIT else numbers


def _check_answers(answers: bytes, asked: list[int]) -> None:
    """Every answer is a response, to one of the requests, and none is answered twice."""
    left = list(asked)
    for octets in Splitter(1 << 20).cut(answers):
        pdu = decode(octets)
        if pdu.command_id.is_response:
            assert pdu.sequence_number in left, "an answer to nothing, or a second one"
            left.remove(pdu.sequence_number)


def _answer_all(session: Session, events: list[Event]) -> None:
    """What was taken can be answered, as long as the session lasts."""
    for event in events:
        if isinstance(event, RequestReceived) and event.pdu.command_id not in UNANSWERED_COMMANDS:
            if session.is_over:
                return
            session.respond(event.pdu, GenericNack(), now=1.0, command_status=CommandStatus.ESME_RSYSERR)
            assert decode(session.data_to_send()[:16]).sequence_number == event.pdu.sequence_number
