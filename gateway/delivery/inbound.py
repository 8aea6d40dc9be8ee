"""Messages from subscribers: every part is on disk before it is acknowledged, and stays until its text is.

A part that came is written; then it is acknowledged, and put together with the others of its text; the text is written,
with whose it is and what it answers, and then its parts are dropped. What a crash leaves of this a start takes up.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

import msgspec
import structlog

from gateway.connection import Connection
from gateway.delivery import inbound_parts
from gateway.delivery.addresses import phones_of, sources_of
from gateway.delivery.carriers import Carrier
from gateway.delivery.correspondence import Correspondence, Ends
from gateway.delivery.inbound_parts import StoredPart
from gateway.delivery.repeats import Arrival, Repeats
from gateway.delivery.settings import CarrierSettings
from gateway.delivery.shared import STORE_RETRY_SECONDS, Shared
from gateway.log_values import places_of
from gateway.message import Message, MessageId, Milliseconds, first_id_at
from gateway.replies import Replies, Reply
from gateway.smpp import DataSm, DeliverSm
from gateway.store.api import Commit, InboundMessage, PartMark, StoreDamagedError, StoreError
from gateway.text import InboundText, Reassembler

AT_ONCE: Final = 100  # texts written in one go
NOBODY: Final = "(none)"  # the label of messages that are no account's: no account can be called so
_PAGE: Final = 1_000

Respond = Callable[[bool], None]

log = structlog.get_logger(__name__)


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a subscriber wrote, put together, with what is known of it; it has no id yet."""

    carrier: str
    phone: str  # in E.164 where that can be made out, else as the carrier wrote it
    destination: str
    text: str
    account: str
    answers: Message | None
    missing: tuple[int, ...]
    parts: tuple[PartMark, ...]
    is_chosen: bool  # from a menu of an application: it asks nothing of the gateway

    def as_reply(self, at: Milliseconds) -> Reply:
        """For those who act on it. It is named for its first part, which it has after a crash as well."""
        name = MessageId(self.parts[0].key)
        return Reply(id=name, account=self.account, phone=self.phone, text=self.text, at=at, answers=self.answers)

    def as_message(self, message_id: MessageId, at: Milliseconds) -> InboundMessage:
        return InboundMessage(
            id=message_id,
            carrier=self.carrier,
            source=self.phone,
            destination=self.destination,
            text=self.text,
            at=at,
            account=self.account,
            answers=self.answers.id if self.answers is not None else MessageId(0),
            missing=self.missing,
            parts=self.parts,
        )


class OwnerOf(Protocol):
    """Whose a source number is when no message says so."""

    def owner_of(self, carrier: str, sources: Collection[str]) -> str: ...


class _Line(msgspec.Struct):
    """What is kept of one carrier."""

    reassembler: Reassembler
    repeats: Repeats[Commit]
    parts: dict[int, StoredPart]  # by key: on disk, and their text is not


class _Ready(msgspec.Struct, frozen=True):
    """A text that is to be written, and its parts."""

    carrier: str
    ton: int
    text: InboundText
    parts: tuple[StoredPart, ...]


class Inbound:
    """The messages from subscribers, of all carriers."""

    def __init__(
        self,
        shared: Shared,
        carriers: Mapping[str, Carrier],
        next_id: Callable[[], MessageId],
        *,
        owners: OwnerOf | None = None,
        replies: Replies | None = None,
    ) -> None:
        self._shared = shared
        self._carriers = carriers
        self._next_id = next_id
        self._owners = owners
        self._replies = replies
        self._correspondence = Correspondence(shared, carriers)
        self._lines: dict[str, _Line] = {}
        self._last_key = 0
        self._ready: list[_Ready] = []
        self._dropped: list[int] = []  # keys of parts that are not needed any more, and are on disk
        self._settling: asyncio.Task[None] | None = None
        self._has_begun = False
        self._stopping = False
        self._loop = asyncio.get_running_loop()

    @property
    def pending(self) -> int:
        """Texts that are put together and not on disk yet."""
        return len(self._ready) + (self._settling is not None)

    # --- a start, and a stop -----------------------------------------------------------------------------------------

    async def recover(self, *, last_time: Milliseconds) -> None:
        """Take up the parts that a stop or a crash left on disk. `last_time`: the latest of which the store tells."""
        store, now = self._shared.store, self._shared.clock()
        parts = await inbound_parts.load(store)
        self._last_key = max((part.key for part in parts), default=0)
        since = first_id_at(last_time - round(self._settle_seconds() * 1000))
        done = await self._written_since(min((MessageId(part.key - 1) for part in parts), default=since), since)
        for part in parts:
            line = self._line(part.carrier)
            if part.key in done:
                self._dropped.append(part.key)
            else:
                line.repeats.expect(part.fingerprint, now=self._loop.time())
                age_seconds = max(0, now - part.at) / 1000
                self._join(line, part, now=self._loop.time() - age_seconds)
        self.expire()
        self._drop()

    def begin(self) -> None:
        """Write what is put together from now on: what it causes can be done."""
        self._has_begun = True
        self._wake()

    async def stop(self) -> None:
        """Write what is put together, if it can be, and return. Parts that wait for others stay on disk."""
        self._stopping = True
        if self._settling is not None:
            await self._settling

    async def _written_since(self, first_part: MessageId, late: MessageId) -> set[int]:
        """The keys of the parts whose text is on disk; those of the latest may come again, and are known then."""
        done: set[int] = set()
        after = min(first_part, late)
        while page := await self._shared.store.inbound(after=after, limit=_PAGE):
            for message in page:
                done.update(mark.key for mark in message.parts)
                if message.id >= late:
                    for mark in message.parts:
                        self._line(message.carrier).repeats.expect(mark.fingerprint, now=self._loop.time())
            after = page[-1].id
        return done

    # --- one request -------------------------------------------------------------------------------------------------

    def received(self, carrier: Carrier, connection: Connection, body: DeliverSm | DataSm, respond: Respond) -> None:
        """A carrier delivers a message, or a part of one."""
        shared, now = self._shared, self._loop.time()
        line = self._line(carrier.name)
        fingerprint = inbound_parts.fingerprint_of(body)
        earlier = line.repeats.find(fingerprint, now=now)
        if earlier is not None:
            commit = earlier.commit
            line.repeats.came_again(earlier, connection, now=now)
            if commit is None:
                respond(True)
            else:
                shared.after.add(commit, respond)
            return
        if len(self._ready) >= shared.settings.inbound_waiting:
            respond(False)  # the carrier sends it again
            return
        part = inbound_parts.part_of(
            body,
            key=self._next_key(),
            fingerprint=fingerprint,
            carrier=carrier.name,
            alphabet=carrier.settings.alphabet,
            at=shared.clock(),
        )
        commit = inbound_parts.keep(shared.store, part)
        arrival = line.repeats.came(fingerprint, connection, commit, now=now)
        shared.after.add(commit, partial(self._kept, line, part, arrival, respond))

    def connection_ended(self, carrier: Carrier, connection: Connection) -> None:
        """What was answered by it of late may come again."""
        line = self._lines.get(carrier.name)
        if line is not None:
            line.repeats.ended(connection, now=self._loop.time())

    def expire(self) -> None:
        """Give out the texts whose missing parts did not come in time."""
        now = self._loop.time()
        for name, line in self._lines.items():
            for text in line.reassembler.expire(now=now):
                self._put_together(name, line, text)

    def _kept(self, line: _Line, part: StoredPart, arrival: Arrival[Commit], respond: Respond, succeeded: bool) -> None:
        now = self._loop.time()
        respond(succeeded)
        if not succeeded:
            line.repeats.refused(part.fingerprint, arrival)
            return
        line.repeats.answered(arrival, now=now)
        self._join(line, part, now=now)

    def _join(self, line: _Line, part: StoredPart, *, now: float) -> None:
        """Put a part to the others of its text."""
        line.parts[part.key] = part
        if part.place is None:
            texts = [InboundText(part.source, part.destination, part.text, keys=(part.key,))]
        else:
            texts = line.reassembler.add(part.source, part.destination, part.for_joining(part.place), now=now)
        for text in texts:
            self._put_together(part.carrier, line, text)

    def _put_together(self, carrier: str, line: _Line, text: InboundText) -> None:
        parts = tuple(line.parts.pop(key) for key in text.keys)
        self._ready.append(_Ready(carrier, parts[0].ton, text, parts))
        self._wake()

    def _wake(self) -> None:
        if self._ready and self._has_begun and self._settling is None:
            self._settling = self._loop.create_task(self._settle())

    # --- one text ----------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Write what is put together, in order, many at a time."""
        try:
            while self._ready:
                batch = self._ready[:AT_ONCE]
                try:
                    await self._write(await self._words_of(batch))
                except StoreError as error:
                    log.warning("could not keep messages from subscribers", error=str(error))
                    if self._stopping:
                        return  # their parts are on disk
                    await asyncio.sleep(STORE_RETRY_SECONDS)
                    continue
                del self._ready[: len(batch)]
                self._dropped += [part.key for ready in batch for part in ready.parts]
                self._drop()
        finally:
            self._settling = None

    async def _words_of(self, batch: Sequence[_Ready]) -> list[Words]:
        """Find out whose texts are and what they answer, and do at once what they ask for. Raises StoreError."""
        asked = [self._ends_of(ready) for ready in batch]
        answered: list[Message | None]
        try:
            answered = await self._correspondence.answered(asked)
        except StoreDamagedError as error:  # no reason to hold up what can be written
            log.error("could not look for what subscribers answer", error=str(error))
            answered = [None] * len(batch)
        words = [self._words(*each) for each in zip(batch, asked, answered, strict=True)]
        for each in words:
            if each.account and each.phone.startswith("+") and not each.is_chosen:
                await self._act_on(each)
        return words

    async def _act_on(self, words: Words) -> None:
        """Do what is asked for. Raises StoreError: then it is done again, with the whole batch."""
        if self._replies is None:
            return
        try:
            await self._replies.note(words.as_reply(self._shared.clock()))
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 a bug costs what one message asks for, and not all that follow it
            log.error("a reply could not be acted upon", error=type(error).__name__, places=places_of(error))

    def _ends_of(self, ready: _Ready) -> Ends:
        carrier = self._carriers.get(ready.carrier)
        settings = carrier.settings if carrier is not None else CarrierSettings(name=ready.carrier)
        return Ends(phones_of(ready.text.source, ready.ton), sources_of(ready.text.destination, settings))

    def _words(self, ready: _Ready, ends: Ends, answers: Message | None) -> Words:
        text = ready.text
        if answers is not None:
            account, phone = answers.account, answers.to
        else:
            account = self._owners.owner_of(ready.carrier, ends.sources) if self._owners is not None else ""
            phone = ends.phones[0] if ends.phones else text.source
        return Words(
            carrier=ready.carrier,
            phone=phone,
            destination=text.destination,
            text=text.text,
            account=account,
            answers=answers,
            missing=text.missing,
            parts=tuple(part.mark for part in ready.parts),
            is_chosen=any(part.is_chosen for part in ready.parts),
        )

    async def _write(self, batch: Iterable[Words]) -> None:
        """All of these, in one commit. Raises StoreUnavailableError."""
        shared = self._shared
        at = shared.clock()
        # Ids are handed over in the order they are made: so both at once, and both again when it has failed.
        messages = [words.as_message(self._next_id(), at) for words in batch]
        for commit in {shared.store.append_inbound(message) for message in messages}:
            await commit
        for message in messages:
            shared.metrics.inbound.add((message.account or NOBODY,))

    def _drop(self) -> None:
        """Forget parts whose text is on disk. Those that cannot be forgotten now are so with the next."""
        keys, self._dropped = self._dropped, []
        if keys:
            commit = inbound_parts.drop(self._shared.store, keys)
            self._shared.after.add(commit, partial(self._are_dropped, keys))

    def _are_dropped(self, keys: list[int], succeeded: bool) -> None:
        if not succeeded:
            self._dropped += keys

    # --- the rest ----------------------------------------------------------------------------------------------------

    def _next_key(self) -> int:
        """Keys grow with the ids of messages: what is put together of parts has a higher one than all of them."""
        self._last_key = max(self._next_id(), self._last_key + 1)
        return self._last_key

    def _line(self, carrier: str) -> _Line:
        """What is kept of a carrier; of one that is not configured any more, too: its last parts may be on disk."""
        line = self._lines.get(carrier)
        if line is None:
            settings = self._shared.settings
            line = self._lines[carrier] = _Line(
                reassembler=Reassembler(
                    timeout_seconds=settings.reassembly_seconds, limit_octets=settings.reassembly_bytes
                ),
                repeats=Repeats(settle_seconds=self._settle_seconds(), repeat_seconds=settings.inbound_repeat_seconds),
                parts={},
            )
        return line

    def _settle_seconds(self) -> float:
        """After so long it is known that a connection is dead: so an answer from before that has arrived."""
        return max(
            (
                bind.settings.enquire_link_seconds + carrier.settings.response_timeout_seconds
                for carrier in self._carriers.values()
                for bind in carrier.binds
            ),
            default=0.0,
        )
