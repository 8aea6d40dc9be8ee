"""Two sessions under a random schedule: acts, chunks and damage, all drawn from one seed."""

import contextlib
import random
from collections import Counter

from gateway.smpp import (
    BindTransceiver,
    BindTransceiverResp,
    Body,
    DeliverSm,
    DeliverSmResp,
    Event,
    LocalError,
    Pdu,
    PeerUnbound,
    RequestReceived,
    RequestUnanswered,
    ResponseReceived,
    Role,
    Session,
    SessionBroken,
    SessionClosed,
    SessionSettings,
    State,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    encode,
)

SETTINGS = SessionSettings(window=4, hold_slots=True, max_pdu_bytes=2048, max_late_requests=3)
HELLO = SubmitSm(source_addr="1069", destination_addr="8613812345678", short_message=b"hello")


def bound_session(role: Role, settings: SessionSettings = SETTINGS) -> Session:
    """A session bound as a transceiver without a peer."""
    session = Session(role, settings, now=0.0)
    bind = BindTransceiver(system_id="a", password="b")
    if role is Role.ESME:
        number = session.send(bind, now=0.0)
        session.receive_data(encode(Pdu(0, number, BindTransceiverResp())), now=0.0)
    else:
        [event] = session.receive_data(encode(Pdu(0, 1, bind)), now=0.0)
        assert isinstance(event, RequestReceived)
        session.respond(event.pdu, BindTransceiverResp(), now=0.0)
    session.data_to_send()
    assert session.state is State.BOUND_TRX
    return session


def check_end(events: list[Event]) -> None:
    """The end comes last, and once."""
    ends = [index for index, event in enumerate(events) if isinstance(event, SessionBroken | SessionClosed)]
    assert ends in ([], [len(events) - 1])


class End:
    """One end under test: its session, what it has asked, and what it has heard of it."""

    def __init__(self, role: Role) -> None:
        self.session = Session(role, SETTINGS, now=0.0)
        self.to_answer: list[Pdu] = []
        self.asked: set[int] = set()
        self.settled: Counter[int] = Counter()
        self.late: Counter[int] = Counter()
        self.answered: list[int] = []
        self.over = False

    def take(self, events: list[Event]) -> None:
        check_end(events)
        assert not (self.over and events)
        for event in events:
            match event:
                case RequestReceived(pdu=pdu):
                    self.to_answer.append(pdu)
                case ResponseReceived(context=int(key), sequence_number=number, late=late):
                    (self.late if late else self.settled)[key] += 1
                    if not late:
                        self.answered.append(number)
                case RequestUnanswered(context=int(key)):
                    self.settled[key] += 1
                case SessionBroken(unanswered=unanswered) | SessionClosed(unanswered=unanswered):
                    self.settled.update(lost.context for lost in unanswered if isinstance(lost.context, int))
                    self.over = True
                case PeerUnbound():
                    pass

    def ask(self, key: int, now: float) -> None:
        """Send a request under `key`; the table or the window may say no."""
        request = HELLO if self.session.role is Role.ESME else DeliverSm()
        self.session.send(request, now=now, context=key)
        self.asked.add(key)

    def answer(self, chance: random.Random, now: float) -> None:
        """Answer any of the requests that wait for it, most by accepting."""
        if not self.to_answer:
            return
        pdu = self.to_answer.pop(chance.randrange(len(self.to_answer)))
        accepted: dict[type[Body], Body] = {
            BindTransceiver: BindTransceiverResp(),
            SubmitSm: SubmitSmResp(message_id="1"),
            DeliverSm: DeliverSmResp(),
        }
        if type(pdu.body) in accepted:
            status = chance.choice([0, 0, 0, 0x58])
            self.session.respond(pdu, accepted[type(pdu.body)], now=now, command_status=status)

    def check(self) -> None:
        """When all is over: each request was settled in one way, and at most once more by a late answer."""
        assert self.session.is_over
        assert set(self.settled) == self.asked, "a request was lost"
        assert set(self.settled.values()) <= {1}, "a request was settled twice"
        assert set(self.late.values()) <= {1}
        assert set(self.late) <= set(self.settled)
        assert self.session.window_in_use == 0


def run_schedule(chance: random.Random) -> int:
    """Two ends, random acts, chunks cut anywhere, in half the runs an octet changed now and then.

    Returns how many requests were made.
    """
    ends = {role: End(role) for role in Role}
    wires: dict[Role, bytearray] = {role: bytearray() for role in Role}  # to whom
    ends[Role.ESME].session.send(BindTransceiver(system_id="a", password="b"), now=0.0)
    if chance.random() < 0.9:
        finish_bind(ends)
    now, faulty = 0.0, chance.random() < 0.5
    for key in range(chance.randrange(20, 120)):
        now += chance.choice([0.0, 0.0, 0.1, 2.0, 9.0])
        end = ends[chance.choice([*Role])]
        act = chance.choice(["ask", "ask", "answer", "answer", "carry", "carry", "carry", "time", "release", "rare"])
        with contextlib.suppress(LocalError):  # then nothing was sent
            match act:
                case "ask":
                    end.ask(key, now)
                case "answer":
                    end.answer(chance, now)
                case "carry":
                    carry(end, wires, chance if faulty else None, chance, now)
                case "time":
                    end.take(end.session.handle_timer(now=now))
                case "release" if end.answered:
                    end.session.release(end.answered.pop())
                case "rare" if chance.random() < 0.05:
                    end.session.send(Unbind(), now=now)
                case "rare" if chance.random() < 0.05:
                    end.take(end.session.receive_eof(now=now))
        assert 0 <= end.session.window_in_use <= SETTINGS.window
        assert end.session.next_deadline is not None or end.session.is_over
    for end in ends.values():
        end.take(end.session.receive_eof(now=now))
        end.check()
    return sum(len(end.asked) for end in ends.values())


def finish_bind(ends: dict[Role, End]) -> None:
    """Let the bind be answered before anything else happens."""
    esme, smsc = ends[Role.ESME].session, ends[Role.SMSC].session
    [event] = smsc.receive_data(esme.data_to_send(), now=0.0)
    assert isinstance(event, RequestReceived)
    smsc.respond(event.pdu, BindTransceiverResp(), now=0.0)
    ends[Role.ESME].take(esme.receive_data(smsc.data_to_send(), now=0.0))


def carry(
    end: End, wires: dict[Role, bytearray], faults: random.Random | None, chance: random.Random, now: float
) -> None:
    """Put what `end` has to send on the wire, and give it some of what came."""
    wires[end.session.role.peer] += end.session.data_to_send()
    wire = wires[end.session.role]
    if faults is not None and wire and faults.random() < 0.03:
        wire[faults.randrange(len(wire))] ^= 1 << faults.randrange(8)
    size = len(wire) if chance.random() < 0.5 else chance.randrange(len(wire) + 1)
    end.take(end.session.receive_data(bytes(wire[:size]), now=now))
    del wire[:size]
