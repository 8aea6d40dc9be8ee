"""Receipts find their message, whenever and by whichever bind they come, and are acknowledged once that is on disk.

In this order: the carrier's message id in memory; our user_message_reference; the id on disk; the only message in doubt
to that number. What none of these finds is kept on disk for an answer that is still to come.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec
import structlog

from gateway.connection import Connection
from gateway.delivery import outcomes
from gateway.delivery.acknowledgements import is_without_words
from gateway.delivery.awaiting import Awaited, canonical_receipt_id, canonical_response_id, same_number, spellings
from gateway.delivery.carriers import Carrier
from gateway.delivery.handover import source_address
from gateway.delivery.inbound import Inbound
from gateway.delivery.live import Reading
from gateway.delivery.reactions import Reactions
from gateway.delivery.shared import Shared
from gateway.delivery.unmatched import Unmatched
from gateway.message import Attempt, Category, Milliseconds, PartStatus, Record, Status
from gateway.smpp import (
    AlertNotification,
    Body,
    CommandStatus,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    GenericNack,
    LocalError,
    MessageState,
    Pdu,
    Receipt,
    parse_receipt,
)
from gateway.store.api import StoreError, UnmatchedReceipt

LOOK_UP_AT_ONCE: Final = 200
_ANSWERS: Final[Mapping[type[Body], type[Body]]] = {DeliverSm: DeliverSmResp, DataSm: DataSmResp}

# An enum's members are slow to look up by value, and slow to name.
_STATES: Final[Mapping[int, MessageState]] = {int(state): state for state in MessageState}
_STATE_NAMES: Final[Mapping[MessageState, str]] = {state: state.name.lower() for state in MessageState}

Reply = Callable[[bool], None]

log = structlog.get_logger(__name__)


class Miss(msgspec.Struct):
    """A receipt that was not found in memory: it waits for the disk to be asked."""

    carrier: Carrier
    receipt: UnmatchedReceipt
    reply: Reply


class Receipts:
    """Takes what carriers send by themselves."""

    def __init__(self, shared: Shared, inbound: Inbound, reactions: Reactions) -> None:
        """`inbound` takes what is no receipt."""
        self._shared = shared
        self._inbound = inbound
        self._reactions = reactions
        self._unmatched: dict[str, Unmatched] = {}
        delivery_seconds = shared.metrics.delivery_seconds
        self._delivery_seconds = {category: delivery_seconds.series((category,)) for category in Category}
        self._misses: list[Miss] = []
        self._looking: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Receipts that are neither matched nor kept yet."""
        return len(self._misses) + (self._looking is not None)

    def load(self, carriers: Mapping[str, Carrier], receipts: tuple[UnmatchedReceipt, ...]) -> None:
        """Remember what a start found on disk. Those of carriers that are gone are given up."""
        limit = self._shared.settings.unmatched_receipts
        self._unmatched = {
            name: Unmatched(form=carrier.settings.message_id, limit=limit) for name, carrier in carriers.items()
        }
        gone = [receipt for receipt in receipts if receipt.carrier not in carriers]
        for receipt in receipts:
            if receipt.carrier in carriers:
                gone += self._unmatched[receipt.carrier].add(receipt)
        self._give_up(gone)

    def drop_old(self, *, now: Milliseconds) -> None:
        """Give up receipts that nobody claimed for too long."""
        oldest = now - round(self._shared.settings.unmatched_receipt_seconds * 1000)
        for unmatched in self._unmatched.values():
            self._give_up(unmatched.take_older_than(oldest))

    async def stop(self) -> None:
        """Finish looking up what came, and return."""
        if self._looking is not None:
            await self._looking

    # --- what carriers tell ------------------------------------------------------------------------------------------

    def request_received(self, carrier: Carrier, connection: Connection, pdu: Pdu) -> None:
        body = pdu.body
        if type(body) is DeliverSm or type(body) is DataSm:
            reply = partial(_reply, connection, pdu)
            receipt = parse_receipt(body)
            if receipt is not None:
                self._take(carrier, body, receipt, reply)
            elif is_without_words(body):
                self._shared.metrics.receipts.add((carrier.name, "acknowledgement", "intermediate"))
                reply(True)  # nothing of it needs the disk
            else:
                self._inbound.received(carrier, connection, body, reply)
        elif type(body) is not AlertNotification:  # which has no answer
            _respond(connection, pdu, CommandStatus.ESME_RINVCMDID)

    def connection_ended(self, carrier: Carrier, connection: Connection) -> None:
        self._inbound.connection_ended(carrier, connection)

    def part_accepted(self, carrier: Carrier, record: Record, n: int, k: int) -> None:
        """The answer came: its receipt may have come before."""
        unmatched = self._unmatched[carrier.name]
        if not unmatched:
            return
        attempt = record.state.parts[n].attempts[k]
        key = canonical_response_id(attempt.carrier_message_id, carrier.settings.message_id)
        self._claim(carrier, record, n, k, unmatched.take_by_id(key, record.message.to, since=attempt.at))

    def part_in_doubt(self, carrier: Carrier, record: Record, n: int, k: int) -> None:
        """The answer will not come: a receipt may be here that proves the part arrived."""
        unmatched = self._unmatched[carrier.name]
        if not unmatched.knows(record.message.to):
            return
        source = source_address(record.message, carrier.settings)
        only = self._find_only_doubt(carrier, record.message.to, source)
        is_only = only is not None and only.record is record
        attempt = record.state.parts[n].attempts[k]
        receipts = unmatched.take_for_doubt(
            record, attempt.reference, since=attempt.at, source=source if is_only else None
        )
        self._claim(carrier, record, n, k, receipts)

    def _claim(self, carrier: Carrier, record: Record, n: int, k: int, receipts: list[UnmatchedReceipt]) -> None:
        for receipt in receipts:
            self._apply(carrier, Awaited(record, n, k), receipt, lambda _: None)
        self._give_up(receipts)

    def _give_up(self, receipts: list[UnmatchedReceipt]) -> None:
        if receipts:
            self._shared.store.drop_receipts(receipts)

    def state_told(
        self, carrier: Carrier, record: Record, n: int, k: int, state: int, error: str, at: Milliseconds
    ) -> None:
        """A carrier that was asked for an attempt said what became of it: a final state."""
        attempt = record.state.parts[n].attempts[k]
        receipt = UnmatchedReceipt(
            carrier=carrier.name,
            carrier_message_id=attempt.carrier_message_id,
            source=record.message.to,
            destination=source_address(record.message, carrier.settings),
            state=state,
            error=error,
            at=at,
        )
        self._apply(carrier, Awaited(record, n, k), receipt, lambda _: None, matched="asked")

    # --- one receipt -------------------------------------------------------------------------------------------------

    def _take(self, carrier: Carrier, body: DeliverSm | DataSm, parsed: Receipt, reply: Reply) -> None:
        if parsed.intermediate or parsed.state not in outcomes.RECEIPT_OUTCOMES:
            self._count(carrier, parsed.state, matched="intermediate")
            reply(True)  # nothing of it needs the disk
            return
        receipt = UnmatchedReceipt(
            carrier=carrier.name,
            carrier_message_id=parsed.message_id,
            source=body.source_addr,
            destination=body.destination_addr,
            state=parsed.state,
            error=parsed.error,
            at=self._shared.clock(),
            reference=parsed.user_message_reference or 0,
        )
        found = _find_in_memory(carrier, receipt)
        if found is not None:
            self._apply(carrier, found, receipt, reply)
            return
        self._misses.append(Miss(carrier, receipt, reply))
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look_up())

    def _apply(
        self, carrier: Carrier, found: Awaited, receipt: UnmatchedReceipt, reply: Reply, *, matched: str = "yes"
    ) -> None:
        """Settle an attempt; acknowledge when that is on disk, also when it said nothing new: the first may not be."""
        record, n, k = found.record, found.n, found.k
        state = _STATES[receipt.state]
        attempt = record.state.parts[n].attempts[k]
        if not attempt.carrier_message_id and receipt.carrier_message_id:
            outcomes.learn_id(record, n, k, receipt.carrier_message_id)
            carrier.awaiting.add(record, n, k)
        undelivered = outcomes.RECEIPT_OUTCOMES[state] is PartStatus.FAILED
        undelivered = undelivered and not outcomes.is_cancelled(record, n, k, state)
        changed = (undelivered and self._react(carrier, found, receipt, state)) or outcomes.receipt(
            record, n, k, state, receipt.error, at=receipt.at
        )
        commit = carrier.keep(record, changed=changed)
        self._shared.after.add(commit, reply)
        self._count(carrier, state, matched=matched)
        self._measure(carrier, record, attempt, state, receipt.at, changed=changed)

    def _react(self, carrier: Carrier, found: Awaited, receipt: UnmatchedReceipt, state: MessageState) -> bool:
        """Whether what is done about an undelivered attempt lets its message go on. Asked once of each receipt."""
        if not outcomes.is_news(found.record, found.n, found.k, state):
            return False
        at = max(receipt.at, found.record.state.timeline[-1].at)
        return self._reactions.react(carrier.name, found.record, found.n, found.k, state, receipt.error, at=at)

    def _measure(
        self,
        carrier: Carrier,
        record: Record,
        attempt: Attempt,
        state: MessageState,
        at: Milliseconds,
        *,
        changed: bool,
    ) -> None:
        seconds = max(0, at - attempt.at) / 1000
        carrier.receipt_seconds.observe(seconds)
        if changed:
            self._shared.lessons.outcome(
                carrier.name, record.message.network, delivered=state is MessageState.DELIVERED, seconds=seconds
            )
        if changed and record.state.status is Status.DELIVERED:
            message = record.message
            self._delivery_seconds[message.category].observe(max(0, at - message.accepted_at) / 1000)

    def _count(self, carrier: Carrier, state: MessageState, *, matched: str) -> None:
        self._shared.metrics.receipts.add((carrier.settings.name, _STATE_NAMES[state], matched))

    # --- those that are not in memory --------------------------------------------------------------------------------

    async def _look_up(self) -> None:
        """Ask the disk for what was missed, many at a time."""
        try:
            while self._misses:
                batch, self._misses = self._misses[:LOOK_UP_AT_ONCE], self._misses[LOOK_UP_AT_ONCE:]
                by_carrier: dict[str, list[Miss]] = {}
                for miss in batch:
                    by_carrier.setdefault(miss.carrier.name, []).append(miss)
                for misses in by_carrier.values():
                    await self._look_up_for(misses[0].carrier, misses)
        finally:
            self._looking = None

    async def _look_up_for(self, carrier: Carrier, misses: list[Miss]) -> None:
        form = carrier.settings.message_id
        ids = {spelling for miss in misses for spelling in spellings(miss.receipt.carrier_message_id, form) if spelling}
        with self._shared.live.reading() as reading:
            try:
                records = await self._shared.store.find_attempts(carrier.name, sorted(ids))
            except StoreError as error:
                log.warning("could not look up receipts", carrier=carrier.name, error=str(error))
                for miss in misses:
                    miss.reply(False)  # the carrier sends them again
                return
            for miss in misses:
                self._settle_miss(carrier, miss, reading, records)

    def _settle_miss(self, carrier: Carrier, miss: Miss, reading: Reading, records: list[Record]) -> None:
        receipt = miss.receipt
        found = _find_in_memory(carrier, receipt)  # its answer may have come in the meantime
        if found is None:
            stored = _find_among(carrier, receipt, records)
            if stored is not None:
                found = _bring_to_memory(carrier, reading, stored)
                if found is None:
                    self._misses.append(miss)  # it was in memory until a moment ago: read it again
                    return
        if found is None:
            found = self._find_only_doubt(carrier, receipt.source, receipt.destination)
        if found is not None:
            self._apply(carrier, found, receipt, miss.reply)
            return
        self._count(carrier, _STATES[receipt.state], matched="no")
        commit = self._shared.store.keep_receipt(receipt)
        self._give_up(self._unmatched[carrier.name].add(receipt))
        self._shared.after.add(commit, miss.reply)

    def _find_only_doubt(self, carrier: Carrier, destination: str, source: str) -> Awaited | None:
        """The attempt in doubt that an unknown id must mean; none while it may be the id of one that is on its way."""
        found = carrier.awaiting.find_only_doubt(destination, source)
        if found is None or self._shared.live.is_under_way(found.record.message.to):
            return None
        return found


def _find_in_memory(carrier: Carrier, receipt: UnmatchedReceipt) -> Awaited | None:
    awaiting = carrier.awaiting
    found = awaiting.find(receipt.carrier_message_id, receipt.source)
    if found is None and receipt.reference:
        found = awaiting.find_by_reference(receipt.reference, receipt.source)
    return found


def _bring_to_memory(carrier: Carrier, reading: Reading, stored: Awaited) -> Awaited | None:
    record = reading.adopt(stored.record)
    if record is None:
        return None
    if not record.is_final:
        carrier.watch(record)
    return Awaited(record, stored.n, stored.k)


def _find_among(carrier: Carrier, receipt: UnmatchedReceipt, records: list[Record]) -> Awaited | None:
    """The newest attempt, among records read from disk, that the receipt speaks of."""
    form = carrier.settings.message_id
    wanted = canonical_receipt_id(receipt.carrier_message_id, form)
    for record in records:
        if same_number(record.message.to, receipt.source):
            for n, k, attempt in _attempts(record):
                if (
                    attempt.carrier == carrier.name
                    and canonical_response_id(attempt.carrier_message_id, form) == wanted
                ):
                    return Awaited(record, n, k)
    return None


def _attempts(record: Record) -> list[tuple[int, int, Attempt]]:
    """All attempts of a record that got an id, newest first, as (n, k, attempt)."""
    found = [
        (n, k, attempt)
        for n, part in enumerate(record.state.parts)
        for k, attempt in enumerate(part.attempts)
        if attempt.carrier_message_id and part.status is not PartStatus.WAITING
    ]
    return sorted(found, key=lambda each: each[2].at, reverse=True)


def _reply(connection: Connection, pdu: Pdu, succeeded: bool) -> None:
    """Acknowledge what is on disk; what could not be written shall come again."""
    _respond(connection, pdu, CommandStatus.ESME_ROK if succeeded else CommandStatus.ESME_RX_T_APPN)


def _respond(connection: Connection, pdu: Pdu, status: CommandStatus) -> None:
    body = _ANSWERS.get(type(pdu.body), GenericNack)()
    try:
        connection.respond(pdu, body, command_status=status)
    except LocalError as error:  # the connection is gone: the carrier sends it again
        log.info("could not answer a carrier", peer=connection.peer, error=str(error))
