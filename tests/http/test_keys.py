import pytest

from gateway.account import Account
from gateway.http.keys import Keys, hash_key
from gateway.http.problems import Code, Problem

ALPHA = Account(name="alpha")
BETA = Account(name="beta")


def test_a_key_leads_to_its_account_whatever_the_case_of_bearer() -> None:
    keys = Keys([(hash_key("a"), ALPHA), (hash_key("b"), BETA), (hash_key("b2"), BETA)])

    assert keys.account_of("Bearer a") is ALPHA
    assert keys.account_of("bearer b") is BETA
    assert keys.account_of("BEARER  b2 ") is BETA


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "a", "Bearer A", "Bearer a b", "Bearer \udcff"]
)
def test_anything_else_is_unauthorized_and_says_how_to_authorize(header: str | None) -> None:
    keys = Keys([(hash_key("a"), ALPHA)])

    with pytest.raises(Problem) as caught:
        keys.account_of(header)

    assert caught.value.code is Code.UNAUTHORIZED
    assert caught.value.headers["WWW-Authenticate"].startswith('Bearer realm="yizhan"')


def test_two_accounts_cannot_share_a_key() -> None:
    with pytest.raises(ValueError, match=r"account\[beta\].key: must not be the key of another account") as caught:
        Keys([(hash_key("same"), ALPHA), (hash_key("same"), BETA)])

    assert "same" not in str(caught.value)


def test_a_key_is_nowhere_to_be_seen() -> None:
    keys = Keys([(hash_key("very-secret"), ALPHA)])

    assert "very-secret" not in repr(vars(keys))
