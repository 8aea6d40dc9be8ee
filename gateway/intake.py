"""The one way in: policy, then route, then the store; a message is accepted when its commit is done.

`submit` decides each draft by itself, in order, in slices with a return to the loop between, so that an array of 10,000
does not hold up everybody else. What it accepted is handed to delivery by the commit itself, not by the caller's task:
a client that hangs up early loses its answer, never its message.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final, cast

import msgspec
import structlog

from gateway.account import Account
from gateway.explaining import Explanation, explain
from gateway.log_values import places_of
from gateway.message import (
    Category,
    IdSource,
    Message,
    MessageId,
    Milliseconds,
    Priority,
    Record,
    Status,
    lane_name,
    new_record,
)
from gateway.policy.candidate import Candidate, Draft
from gateway.policy.pipeline import Pipeline
from gateway.policy.signature import split_signature
from gateway.policy.verdict import Reason, Refusal
from gateway.refs import ClientRefs
from gateway.routing.router import Router
from gateway.store.api import Commit, Store, StoreUnavailableError

SLICE: Final = 200  # drafts decided between two returns to the loop at most, and in one append
STEP_SECONDS: Final = 0.002  # of deciding between two returns; what others do in the same turn comes on top
ANSWERS: Final = 2_000  # looked through between two returns
REPEATS: Final = 100  # compared with their first messages between two returns

_DEFAULT_PRIORITY: Final[Mapping[Category, Priority]] = {
    Category.OTP: Priority.HIGH,
    Category.NOTIFICATION: Priority.NORMAL,
    Category.MARKETING: Priority.LOW,
}
_UNAVAILABLE: Final = Refusal(
    Reason.STORE_UNAVAILABLE,
    "The message could not be written to disk; send it again.",
    chinese="消息无法写入磁盘，请重新发送。",
)
_BROKEN_RULE: Final = Refusal(
    Reason.INTERNAL,
    "A rule of the gateway failed, so the message was not accepted.",
    chinese="网关的一条规则执行出错，消息未被受理。",
)

log = structlog.get_logger(__name__)


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A message that is on disk. `duplicate`: an earlier request had accepted it already."""

    record: Record
    duplicate: bool = False


Decision = Accepted | Refusal


class _Repeat(msgspec.Struct, frozen=True):
    """A draft whose client_ref was seen before: to be compared with its first message."""

    draft: Draft
    message_id: MessageId


class Misuse(msgspec.Struct, frozen=True):
    """A draft that the account may not even ask for: the whole request is malformed. `field` is the one to blame."""

    field: str
    rule: str


def check_rights(account: Account, draft: Draft) -> Misuse | None:
    """What makes a well-formed draft an invalid request for this account; None when nothing does."""
    if draft.priority is Priority.HIGH and draft.category is not Category.OTP:
        allowed = draft.category is Category.NOTIFICATION and account.allow_high
        if not allowed:
            return Misuse("priority", "high is for otp, and for notification where the account has allow_high")
    if account.categories is not None and draft.category not in account.categories:
        return Misuse("category", "must be one of the account's categories")
    if draft.sender and account.senders is not None and draft.sender not in account.senders:
        return Misuse("sender", "must be one of the account's senders")
    if draft.signature is not None:
        in_text, _ = split_signature(draft.text)
        if in_text is not None and in_text != draft.signature:
            return Misuse("signature", "must equal the signature in the text, where both are given")
    return None


class Intake:
    """Accepts messages, or says why not."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        router: Router,
        store: Store,
        ids: IdSource,
        refs: ClientRefs,
        valid_for_seconds: Mapping[Category, int],
        on_accepted: Callable[[Sequence[Record]], None],
        clock: Callable[[], Milliseconds],
        on_refused: Callable[[str, Draft, Refusal], None] = lambda *_: None,
        on_tagged: Callable[[str, Sequence[str]], None] = lambda *_: None,
        is_up: Callable[[str], bool] = lambda _: True,
        step_seconds: float = STEP_SECONDS,
        due: Callable[[Message, Milliseconds], Milliseconds] = lambda _, opens_at: opens_at,
    ) -> None:
        """`due`: when a message goes whose hours open at a time that is told.

        `on_tagged`: told the account and the tags of every message that has some, whatever becomes of it.
        """
        self._pipeline = pipeline
        self._router = router
        self._store = store
        self._ids = ids
        self._refs = refs
        self._valid_for_seconds = valid_for_seconds
        self._is_up = is_up
        self._step_seconds = step_seconds
        self._due = due
        self._on_accepted = on_accepted
        self._on_refused = on_refused
        self._on_tagged = on_tagged
        self._clock = clock
        # Messages with a client_ref whose commit is under way: a repeat may only be answered once it is done.
        self._uncommitted: dict[MessageId, tuple[Record, Commit]] = {}
        self._under_way: dict[MessageId, None] = {}  # the first id of every append whose commit is, oldest first

    async def submit(self, account: Account, drafts: Sequence[Draft]) -> list[Decision]:
        """Decide every draft; return, in their order, what became of each, when all that was accepted is on disk."""
        decisions: list[Decision | _Repeat] = []
        commits: list[tuple[Commit, int, int]] = []  # with the range of decisions that it stands for
        while len(decisions) < len(drafts):
            start = len(decisions)
            if start:
                await asyncio.sleep(0)
            decided = self._decide_some(account, drafts[start : start + SLICE])
            decisions += decided
            fresh = [decision.record for decision in decided if type(decision) is Accepted]
            if fresh:
                commits.append((self._append(fresh), start, start + len(decided)))
        for commit, first, last in commits:
            try:
                await asyncio.shield(commit)
            except StoreUnavailableError:
                decisions[first:last] = [
                    _UNAVAILABLE if type(decision) is Accepted else decision for decision in decisions[first:last]
                ]
        answers = await self._answer_repeats(account, decisions)
        for start in range(0, len(answers), ANSWERS):
            if start:
                await asyncio.sleep(0)
            self._count_refused(account, drafts[start : start + ANSWERS], answers[start : start + ANSWERS])
        return answers

    def _count_refused(self, account: Account, drafts: Sequence[Draft], answers: Sequence[Decision]) -> None:
        """By reason, and by batch: there those are not counted that will come again."""
        batches: Counter[str] = Counter()
        for draft, answer in zip(drafts, answers, strict=True):
            if type(answer) is Refusal:
                self._on_refused(account.name, draft, answer)
                if draft.batch and answer.reason is not Reason.STORE_UNAVAILABLE:
                    batches[draft.batch] += 1
        for batch, count in batches.items():
            self._store.count_refused(account.name, batch, count)

    def oldest_under_way(self) -> MessageId | None:
        """All messages with lower ids are on disk, or known not to be. None: all there are."""
        return next(iter(self._under_way), None)

    def known_through(self) -> MessageId:
        """Of every message up to this id it is known, and told, whether it was accepted."""
        oldest = self.oldest_under_way()
        return self._ids.last if oldest is None else MessageId(oldest - 1)

    def explain(self, account: Account, draft: Draft) -> Explanation:
        """What would become of a draft now, and why. Nothing is stored, charged or remembered."""
        return explain(self._pipeline, self._router, account, draft, now=self._clock(), is_up=self._is_up)

    def _decide_some(self, account: Account, drafts: Sequence[Draft]) -> list[Decision | _Repeat]:
        """The first of the drafts, or as many as there is time for before others have their turn."""
        until = time.perf_counter() + self._step_seconds
        decided: list[Decision | _Repeat] = []
        for draft in drafts:
            decided.append(self._decide(account, draft))
            if time.perf_counter() >= until:
                break
        return decided

    def _decide(self, account: Account, draft: Draft) -> Decision | _Repeat:
        """One message, in one step: nothing else runs between its decision and its place in the commit."""
        now = self._clock()
        if draft.client_ref:
            earlier = self._refs.get(account.name, draft.client_ref, now=now)
            if earlier is not None:
                return _Repeat(draft, earlier)
        candidate = Candidate(draft, account, draft.text)
        try:
            decided = self._apply_rules(candidate, now)
        except Exception as error:  # noqa: BLE001 a rule that fails refuses its own message, and lets none through
            log.error("a rule failed", error=type(error).__name__, places=places_of(error))
            return _BROKEN_RULE
        if candidate.tags:
            self._on_tagged(account.name, candidate.tags)
        if isinstance(decided, Refusal):
            return decided
        record = decided
        if draft.client_ref:
            self._refs.add(account.name, draft.client_ref, record.id, now=now)
        return Accepted(record)

    def _apply_rules(self, candidate: Candidate, now: Milliseconds) -> Record | Refusal:
        """Policy, then the route, then the charge, which only a message that goes at once has to bear yet."""
        refusal = self._pipeline.decide(candidate, now=now / 1000)
        if refusal is not None:
            return refusal
        carriers = self._router.rank(candidate, now=now)
        if not carriers:
            return self._router.refusal(candidate, now=now)
        record = self._new_record(candidate, carriers, now)
        self._pipeline.commit(candidate, now=now / 1000, waits=record.status is not Status.QUEUED)
        return record

    def _new_record(self, candidate: Candidate, carriers: tuple[str, ...], now: Milliseconds) -> Record:
        draft = candidate.draft
        send_at = _milliseconds(draft.send_at)
        if send_at is not None and send_at <= now:
            send_at = None
        valid_for = draft.valid_for_seconds or self._valid_for_seconds[draft.category]
        priority = draft.priority or _DEFAULT_PRIORITY[draft.category]
        message = Message(
            id=self._ids.next(now),
            account=candidate.account.name,
            to=candidate.to,
            text=candidate.text,
            category=draft.category,
            priority=priority,
            urgent=draft.urgent,
            signature=candidate.signature,
            sender=draft.sender,
            client_ref=draft.client_ref,
            batch=draft.batch,
            network=candidate.network,
            parts=candidate.parts,
            accepted_at=now,
            send_at=send_at,
            expires_at=(send_at or now) + valid_for * 1000,
            carriers=carriers,
            clock_lead=candidate.charged_at - now if candidate.charged_at else 0,
            wall_lead=candidate.charged_wall - now // 1_000 if candidate.charged_at else 0,
        )
        candidate.id = message.id
        waits = send_at is not None or (candidate.opens_at or 0) > now
        status = Status.HELD if candidate.hold else Status.SCHEDULED if waits else Status.QUEUED
        first = carriers[0]
        if not self._is_up(first):
            first = next(filter(self._is_up, carriers), first)
        record = new_record(message, status, lane=lane_name(first, message), reason=candidate.hold)
        if status is Status.SCHEDULED and candidate.opens_at is not None:
            record.due = self._due(message, candidate.opens_at)
        return record

    def _append(self, records: list[Record]) -> Commit:
        commit = self._store.append(records)
        for record in records:
            if record.message.client_ref:
                self._uncommitted[record.id] = (record, commit)
        self._under_way[records[0].id] = None
        commit.add_done_callback(partial(self._committed, records))
        return commit

    def _committed(self, records: list[Record], commit: Commit) -> None:
        failed = commit.cancelled() or commit.exception() is not None
        del self._under_way[records[0].id]
        for record in records:
            message = record.message
            if message.client_ref:
                del self._uncommitted[record.id]
                if failed:
                    self._refs.discard(message.account, message.client_ref)
            if failed:
                self._pipeline.take_back(
                    message,
                    charged_at=message.accepted_at,
                    now=self._clock() / 1000,
                    waits=record.status is not Status.QUEUED,
                )
        if not failed:
            self._on_accepted(records)

    async def _answer_repeats(self, account: Account, decisions: Sequence[Decision | _Repeat]) -> list[Decision]:
        """The same with what became of the first message of each repeat, once that is on disk."""
        answers = [*decisions]
        repeats = [(n, each) for n, each in enumerate(decisions) if type(each) is _Repeat]
        for start in range(0, len(repeats), REPEATS):
            some = repeats[start : start + REPEATS]
            firsts = await self._first_messages([repeat.message_id for _, repeat in some])
            for n, repeat in some:
                answers[n] = self._answer_repeat(account, repeat.draft, firsts.get(repeat.message_id))
        return cast("list[Decision]", answers)

    async def _first_messages(self, message_ids: Sequence[MessageId]) -> dict[MessageId, Record]:
        """Those of these messages that are on disk, once it is known."""
        under_way = {each: self._uncommitted[each] for each in message_ids if each in self._uncommitted}
        found = await self._store.read_all([each for each in message_ids if each not in under_way])
        for message_id, (record, commit) in under_way.items():
            with suppress(StoreUnavailableError):
                await asyncio.shield(commit)
                found[message_id] = record
        return found

    def _answer_repeat(self, account: Account, draft: Draft, first: Record | None) -> Decision:
        """The first message under this client_ref, if it is the same."""
        if first is None:
            return _UNAVAILABLE  # its commit failed
        if self._same(account, draft, first.message):
            return Accepted(first, duplicate=True)
        return Refusal(
            Reason.CLIENT_REF_CONFLICT,
            "This client_ref was used in the last 24 hours for a message with other content.",
            {"id": str(first.id)},
            chinese="该 client_ref 在过去 24 小时内已用于内容不同的消息。",
        )

    def _same(self, account: Account, draft: Draft, message: Message) -> bool:
        """Whether a draft asks for exactly the message that was accepted. Spelling of the number does not matter."""
        candidate = Candidate(draft, account, draft.text)
        if self._pipeline.understand(candidate) is not None:
            return False
        base = message.send_at or message.accepted_at
        send_at = _milliseconds(draft.send_at)
        return (
            message.account == account.name
            and message.client_ref == draft.client_ref
            and message.to == candidate.to
            and message.text == candidate.text
            and message.signature == candidate.signature
            and message.category is draft.category
            and message.urgent == draft.urgent
            and message.sender == draft.sender
            and message.batch == draft.batch
            and (message.send_at == send_at or (message.send_at is None and (send_at or 0) <= message.accepted_at))
            and message.expires_at - base == 1000 * (draft.valid_for_seconds or self._valid_for_seconds[draft.category])
            and message.priority is (draft.priority or _DEFAULT_PRIORITY[draft.category])
        )


def _milliseconds(moment: datetime | None) -> Milliseconds | None:
    return None if moment is None else round(moment.timestamp() * 1000)
