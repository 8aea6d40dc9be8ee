"""The rules once more, for messages accepted before: at the release of those that waited, and at the hand-over.

What delivery asks through `gateway.rulings.Gate`, answered by policy. Between acceptance and now its receiver may have
opted out, its hours may have ended, and its caps may be full.
"""

from collections.abc import Mapping
from typing import Final

import structlog

from gateway.account import Account
from gateway.log_values import places_of
from gateway.message import Category, ChargeTime, Message, Milliseconds
from gateway.numbers import MAINLAND_PREFIX
from gateway.policy.candidate import candidate_of
from gateway.policy.consent import OptOuts, Suppressed, are_barred, sender_of
from gateway.policy.hours import Hours, is_exempt
from gateway.policy.pipeline import Pipeline
from gateway.policy.verdict import Reason
from gateway.rulings import Charged, NotHere, Release, Ruling, Stop, Wait

_OPTED_OUT: Final = Stop(Reason.OPTED_OUT)
_BLACKLISTED: Final = NotHere(Reason.OPTED_OUT)
_BROKEN_RULE: Final = Stop(Reason.INTERNAL)  # a rule that fails lets nothing through

log = structlog.get_logger(__name__)


class PolicyGate:
    """Asks consent and hours again, and the caps of those that were not charged yet."""

    def __init__(
        self,
        *,
        opt_outs: OptOuts,
        suppressed: Suppressed,
        hours: Mapping[Category, Hours],
        counting: Pipeline,
        accounts: Mapping[str, Account],
        spread_seconds: float,
    ) -> None:
        """`counting`: the stages that count what they let through. `spread_seconds`: see `due`."""
        self._barred = opt_outs.bar
        self._opted_out = opt_outs.by_sender
        self._blacklisted = suppressed.by_carrier
        self._hours = hours
        self._counting = counting
        self._accounts = accounts
        self._spread_milliseconds = round(spread_seconds * 1_000)

    def release(self, message: Message, *, charged: bool, now: Milliseconds) -> Release:
        try:
            return self._release(message, charged, now)
        except Exception as error:  # noqa: BLE001 a rule that fails stops its own message, and no others
            log.error("a rule failed", error=type(error).__name__, places=places_of(error))
            return _BROKEN_RULE

    def hand_over(self, message: Message, carrier: str, *, now: Milliseconds) -> Ruling:
        category = message.category
        opted_out, blacklisted = self._opted_out[category], self._blacklisted.get(carrier)
        if opted_out or blacklisted:
            number = int(message.to)
            if opted_out and are_barred(opted_out, sender_of(message.signature, message.account), number):
                return _OPTED_OUT
            if blacklisted and number in blacklisted:
                return _BLACKLISTED
        hours = self._hours.get(category)
        if hours is None or hours.opening(now) is None:
            return None
        return self._wait_for(hours, message, now)

    def give_back(self, message: Message, *, charged_at: Milliseconds, now: Milliseconds) -> None:
        self._counting.take_back(message, charged_at=charged_at, now=now / 1_000)

    def due(self, message: Message, opens_at: Milliseconds) -> Milliseconds:
        """When a message goes that waits for its hours: soon after they open, each at a time of its own.

        That time follows from its id, and is before its validity ends, and before the hours do.
        """
        span = min(self._spread_milliseconds, (message.expires_at - opens_at) // 2)
        hours = self._hours.get(message.category)
        if hours is not None:
            span = min(span, hours.open_for(opens_at) // 2)
        return opens_at + (_mixed(message.id) * span >> 32 if span > 0 else 0)

    def _release(self, message: Message, charged: bool, now: Milliseconds) -> Release:
        if message.send_at is not None and message.send_at > now:
            return Wait(message.send_at)
        if self._barred(message.signature, message.account, message.to, message.category):
            return _OPTED_OUT
        hours = self._hours.get(message.category)
        if hours is not None:
            waits = self._wait_for(hours, message, now)
            if waits is not None:
                return waits
        if charged:
            return None
        account = self._accounts.get(message.account) or Account(name=message.account)
        candidate = candidate_of(message, account)
        refusal = self._counting.decide(candidate, now=now / 1_000)
        if refusal is not None:
            return Stop(refusal.reason)
        self._counting.commit(candidate, now=now / 1_000)
        return Charged(ChargeTime(candidate.charged_at or now, candidate.charged_wall or now // 1_000))

    def _wait_for(self, hours: Hours, message: Message, now: Milliseconds) -> Wait | None:
        if is_exempt(message.category, urgent=message.urgent, mainland=message.to.startswith(MAINLAND_PREFIX)):
            return None
        opens_at = hours.opening(now)
        return None if opens_at is None else Wait(self.due(message, opens_at), Reason.OUTSIDE_HOURS)


def _mixed(message_id: int) -> int:
    """32 bits that differ for neighbours (a multiplicative hash)."""
    return (message_id * 0x9E3779B97F4A7C15 & 0xFFFF_FFFF_FFFF_FFFF) >> 32
