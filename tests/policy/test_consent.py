import sys
from random import Random

from gateway.account import Account
from gateway.message import Category, Message, MessageId
from gateway.policy.candidate import Candidate
from gateway.policy.consent import ConsentStage, NumberSets, OptOuts, Scope, sender_of
from gateway.policy.verdict import Reason, Refusal
from tests.policy.samples import DEMO, a_candidate

NUMBER = "+8613800138000"
OUT = Scope("阳光物业", NUMBER, Category.MARKETING)


def decided(
    opt_outs: OptOuts, *, signature: str = "阳光物业", account: Account = DEMO, **fields: object
) -> Refusal | None:
    candidate: Candidate = a_candidate(account, **{"category": Category.MARKETING, **fields})
    candidate.signature = signature
    return ConsentStage(opt_outs).decide(candidate, now=0.0)


def a_message(**fields: object) -> Message:
    known = {"id": MessageId(1), "account": "demo", "to": NUMBER, "text": "x", "accepted_at": 0, "expires_at": 1}
    return Message(**{**known, "signature": "阳光物业", "category": Category.MARKETING, **fields})  # type: ignore[arg-type]


def test_who_opted_out_gets_no_more_of_it() -> None:
    refusal = decided(OptOuts([OUT]))

    assert refusal is not None
    assert refusal.reason is Reason.OPTED_OUT
    assert NUMBER[3:] not in refusal.detail


def test_an_opt_out_is_of_one_sender_one_number_and_one_category() -> None:
    opt_outs = OptOuts([OUT])

    assert decided(opt_outs, signature="丰收银行") is None
    assert decided(opt_outs, to="13900139000") is None
    assert decided(opt_outs, category=Category.NOTIFICATION) is None
    assert decided(opt_outs, account=Account(name="other")) is not None, "accounts share a signature, and its opt-outs"


def test_without_a_signature_the_account_is_the_sender() -> None:
    opt_outs = OptOuts([Scope(sender_of("", "demo"), NUMBER, Category.MARKETING)])

    assert decided(opt_outs, signature="") is not None
    assert decided(opt_outs, signature="", account=Account(name="other")) is None
    assert decided(opt_outs, signature="demo") is None


def test_a_message_that_waited_is_looked_up_alike() -> None:
    opt_outs = OptOuts([OUT, Scope("@demo", NUMBER, Category.NOTIFICATION)])

    assert opt_outs.has(a_message())
    assert opt_outs.has(a_message(signature="", category=Category.NOTIFICATION))
    assert not opt_outs.has(a_message(category=Category.OTP))
    assert not opt_outs.has(a_message(to="+8613900139000"))


def test_who_opted_in_again_gets_it_again() -> None:
    opt_outs = OptOuts([OUT])

    assert opt_outs.discard(OUT)
    assert not opt_outs.discard(OUT)
    assert decided(opt_outs) is None
    assert len(opt_outs) == 0


def test_the_same_opt_out_twice_is_one() -> None:
    opt_outs = OptOuts()

    assert opt_outs.add(OUT)
    assert not opt_outs.add(OUT)
    assert len(opt_outs) == 1


def test_hundreds_of_thousands_take_tens_of_megabytes() -> None:
    chance = Random(1)
    numbers = NumberSets()
    for _ in range(200_000):
        numbers.add("a", f"+86138{chance.randrange(10**8):08}")

    [held] = numbers._sets.values()
    octets = sys.getsizeof(held) + sum(sys.getsizeof(number) for number in held)
    assert octets / len(numbers) < 80
