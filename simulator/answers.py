"""How a submit_sm is answered: well, or in one of the ways in which answers go wrong."""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.smpp import CommandStatus, Pdu, encode
from simulator.messages import Reply
from simulator.outcomes import Answer

# What a client that reads it as a PDU finds: a length of 4 GiB.
GARBAGE: Final = b"\xff" * 32

# What makes of a sequence number another one that is not in use.
_OTHER_SEQUENCE: Final = 0x4000_0000

# A command_length that no PDU has, and by how much another one is too long.
_TOO_SHORT: Final = (8).to_bytes(4, "big")
_TOO_LONG_BY: Final = 16


def send_reply(reply: Reply, at: float) -> None:
    """Answer a submit at Unix time `at`, unless its connection is over."""
    if not reply.bind.is_over:
        _WAYS[reply.answer](reply, at)


def _answer(reply: Reply, at: float) -> bool:
    return reply.bind.answer(reply.request, reply.response, at, command_status=reply.command_status, phone=reply.phone)


def _answer_normally(reply: Reply, at: float) -> None:
    _answer(reply, at)


def _add_garbage(reply: Reply, at: float) -> None:
    if _answer(reply, at):
        reply.bind.link.inject(GARBAGE)


def _add_unbind(reply: Reply, at: float) -> None:
    if _answer(reply, at):
        reply.bind.link.end_session()


def _reset(reply: Reply, _: float) -> None:
    reply.bind.end()
    reply.bind.link.reset()


def _answer_under_another_number(reply: Reply, at: float) -> None:
    answer = Pdu(CommandStatus.ESME_ROK, reply.request.sequence_number ^ _OTHER_SEQUENCE, reply.response)
    reply.bind.lose(reply.request, reply.response)
    reply.bind.link.inject(encode(answer))
    reply.bind.note(at, incoming=False, pdu=answer, phone=reply.phone)


def _answer_half(reply: Reply, _: float) -> None:
    reply.bind.end()
    reply.bind.link.inject_and_reset(_half(_encoded(reply)))


def _answer_half_and_fall_silent(reply: Reply, _: float) -> None:
    reply.bind.end()
    reply.bind.link.freeze_after(_half(_encoded(reply)))


def _fall_silent(reply: Reply, _: float) -> None:
    reply.bind.end()
    reply.bind.link.freeze_after(b"")


def _say_too_short(reply: Reply, _: float) -> None:
    reply.bind.lose(reply.request, reply.response)
    reply.bind.link.inject(_TOO_SHORT + _encoded(reply)[4:])


def _say_too_long(reply: Reply, _: float) -> None:
    data = _encoded(reply)
    reply.bind.lose(reply.request, reply.response)
    reply.bind.link.inject((len(data) + _TOO_LONG_BY).to_bytes(4, "big") + data[4:])


def _lose(reply: Reply, _: float) -> None:
    reply.bind.lose(reply.request, reply.response)


def _encoded(reply: Reply) -> bytes:
    return encode(Pdu(reply.command_status, reply.request.sequence_number, reply.response))


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


_WAYS: Final[Mapping[Answer, Callable[[Reply, float], None]]] = {
    Answer.NORMAL: _answer_normally,
    Answer.AFTER_RECEIPT: _answer_normally,
    Answer.IGNORED: _lose,
    Answer.LOST: _lose,
    Answer.RESET: _reset,
    Answer.GARBAGE: _add_garbage,
    Answer.WRONG_SEQUENCE: _answer_under_another_number,
    Answer.HALF: _answer_half,
    Answer.STUCK: _answer_half_and_fall_silent,
    Answer.SILENT: _fall_silent,
    Answer.UNBIND: _add_unbind,
    Answer.TOO_SHORT: _say_too_short,
    Answer.TOO_LONG: _say_too_long,
}
assert set(_WAYS) == set(Answer), "every way to answer is known"
