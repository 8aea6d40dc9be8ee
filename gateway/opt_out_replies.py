"""Opt-outs and opt-ins by reply: a subscriber's word holds at once, is on disk before it counts as taken in, and may be
confirmed by a message of the account.

An opt-out is of marketing by the signature of the message that it answers. Where that is not known it is of all the
signatures of the account, and of what it sends without one: rather too much than a wish that nobody heard.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
import structlog

from gateway.account import Account
from gateway.intake import Accepted, Decision
from gateway.message import Category
from gateway.opt_outs import OptOut, OptOutRegister, Source
from gateway.policy.candidate import Draft
from gateway.policy.consent import OWN, Scope, sender_of
from gateway.policy.replies import OPT_OUT_WORDS, Wish, wish
from gateway.replies import Noted, Reply

LONGEST_PROOF: Final = 1_000  # characters of a reply that are kept

log = structlog.get_logger(__name__)


class ReplyRules(msgspec.Struct, frozen=True, kw_only=True):
    """What replies to one account's messages do. An answer that is empty is not sent."""

    account: Account
    opt_out_words: frozenset[str] = frozenset(OPT_OUT_WORDS)
    opt_out_answer: str = ""
    opt_in_answer: str = ""


Send = Callable[[Account, Sequence[Draft]], Awaitable[Sequence[Decision]]]


class OptOutReplies:
    """Does what replies ask for: the `Replies` of a running gateway."""

    def __init__(self, register: OptOutRegister, rules: Mapping[str, ReplyRules], send: Send) -> None:
        """`rules` by account. `send` hands a message in, as the API does."""
        self._register = register
        self._rules = rules
        self._send = send

    async def note(self, reply: Reply) -> Noted | None:
        rules = self._rules.get(reply.account)
        if rules is None:
            return None
        match wish(reply.text, rules.opt_out_words):
            case None:
                return None
            case Wish.OPT_OUT:
                await self._opt_out(reply, rules)
                return Noted(Wish.OPT_OUT)
            case Wish.OPT_IN:
                await self._opt_in(reply, rules)
                return Noted(Wish.OPT_IN)

    async def _opt_out(self, reply: Reply, rules: ReplyRules) -> None:
        proof = OptOut(
            reply.at,
            Source.REPLY,
            reply.account,
            reply.text[:LONGEST_PROOF],
            *([reply.answers.id] if reply.answers is not None else []),
        )
        scopes = dict.fromkeys(_scopes(reply, rules.account), proof)
        is_new = any(scope not in self._register for scope in scopes)
        commit = self._register.add(scopes)
        # Handed in before anything is awaited, so it is in the same batch, of which messages are written first: after a
        # crash the reply is noted again, and either both are there or the answer is known by its client_ref.
        if is_new and rules.opt_out_answer:
            await self._answer(reply, rules.account, rules.opt_out_answer)
        if commit is not None:
            await asyncio.shield(commit)

    async def _opt_in(self, reply: Reply, rules: ReplyRules) -> None:
        """What somebody tells one sender says nothing of the others: an opt-out from everyone stands."""
        known = [scope for scope in _scopes(reply, rules.account) if scope in self._register]
        if known and rules.opt_in_answer:
            await self._answer(reply, rules.account, rules.opt_in_answer)
        for scope in known:
            await self._register.opt_in(scope, who="", why=f"reply: {reply.text[:LONGEST_PROOF]}")

    async def _answer(self, reply: Reply, account: Account, text: str) -> None:
        answers = reply.answers
        draft = Draft(
            to=reply.phone,
            text=text,
            category=Category.NOTIFICATION,
            urgent=True,
            signature=(answers.signature if answers is not None else "") or None,
            sender=answers.sender if answers is not None else "",
            client_ref=f"opt-out-reply:{reply.id}",
        )
        [decision] = await self._send(account, [draft])
        if not isinstance(decision, Accepted):
            log.warning("a reply is not confirmed", account=account.name, code=decision.reason)


def _scopes(reply: Reply, account: Account) -> list[Scope]:
    """Of whom a reply speaks."""
    answers = reply.answers
    if answers is not None:
        senders = [sender_of(answers.signature, answers.account)]
    else:
        senders = [OWN + account.name, *(account.signatures or ())]
    return [Scope(sender, reply.phone, Category.MARKETING) for sender in senders]
