from gateway.account import Account
from gateway.message import Category
from gateway.policy.review import ReviewStage
from tests.policy.samples import a_candidate

CAREFUL = Account(name="careful", review=frozenset({Category.MARKETING}))


def held(account: Account, category: Category, *, hold: str = "") -> str:
    candidate = a_candidate(account, category=category)
    candidate.hold = hold
    assert ReviewStage().decide(candidate, now=0.0) is None
    return candidate.hold


def test_the_categories_of_the_account_are_held_and_no_others() -> None:
    assert held(CAREFUL, Category.MARKETING) == "category"
    assert held(CAREFUL, Category.NOTIFICATION) == ""
    assert held(Account(name="other"), Category.MARKETING) == ""


def test_what_a_rule_held_it_for_stands() -> None:
    assert held(CAREFUL, Category.MARKETING, hold="words") == "words"
