import sys
from random import Random

import pytest

from gateway.account import Account
from gateway.message import Category
from gateway.policy.candidate import Candidate
from gateway.policy.consent import (
    EVERYONE,
    ConsentStage,
    NumberSets,
    OptOuts,
    Scope,
    Suppressed,
    sender_fault,
    sender_of,
)
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


def barred(
    opt_outs: OptOuts, *, signature: str = "阳光物业", number: str = NUMBER, category: Category = Category.MARKETING
) -> bool:
    return opt_outs.bar(signature, "demo", number, category)


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

    assert barred(opt_outs)
    assert barred(opt_outs, signature="", category=Category.NOTIFICATION)
    assert not barred(opt_outs, category=Category.OTP)
    assert not barred(opt_outs, number="+8613900139000")


def test_who_opted_out_from_everyone_gets_it_from_nobody() -> None:
    opt_outs = OptOuts([Scope(EVERYONE, NUMBER, Category.MARKETING)])

    assert barred(opt_outs)
    assert barred(opt_outs, signature="")
    assert not barred(opt_outs, category=Category.NOTIFICATION)
    assert not barred(opt_outs, number="+8613900139000")
    assert opt_outs.discard(Scope(EVERYONE, NUMBER, Category.MARKETING))
    assert not barred(opt_outs)


@pytest.mark.parametrize("sender", ["阳光物业", "@demo", "@a.b_c-d"])
def test_a_sender_is_a_signature_or_an_account(sender: str) -> None:
    assert sender_fault(sender) is None


@pytest.mark.parametrize("sender", ["", "x", "【阳光物业】", "@", "@a b", "@" + "a" * 33, "12345", "a/b", "阳光\0物业"])
def test_and_nothing_else(sender: str) -> None:
    assert sender_fault(sender) is not None


def test_who_a_carrier_has_blacklisted_is_so_there_until_it_is_lifted() -> None:
    suppressed = Suppressed()
    assert not suppressed

    assert suppressed.add("cmcc-a", NUMBER)
    assert not suppressed.add("cmcc-a", NUMBER)

    assert suppressed
    assert suppressed.has("cmcc-a", NUMBER)
    assert not suppressed.has("cucc-a", NUMBER)
    assert suppressed.discard("cmcc-a", NUMBER)
    assert not suppressed.discard("cmcc-a", NUMBER)
    assert not suppressed


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

    [held] = numbers.sets.values()
    octets = sys.getsizeof(held) + sum(sys.getsizeof(number) for number in held)
    assert octets / len(numbers) < 80
