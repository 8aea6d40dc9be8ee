"""Whose a source number is."""

import pytest

from gateway.account import Account, Scope
from gateway.delivery.owners import Owners

ANY_A, ANY_B = Account(name="a"), Account(name="b")
NAMED_A, NAMED_B = Account(name="a", senders=("88",)), Account(name="b", senders=("1069000188", "99"))
OPERATOR = Account(name="operator", scopes=frozenset({Scope.OPERATE}))


@pytest.mark.parametrize(
    ("accounts", "owner"),
    [
        ([], ""),
        ([ANY_A], "a"),
        ([ANY_A, OPERATOR], "a"),
        ([ANY_A, ANY_B], ""),
        ([NAMED_A, ANY_B], "a"),
        ([NAMED_A, NAMED_B], ""),
        ([Account(name="a", senders=("77",)), ANY_B], "b"),
        ([Account(name="a", senders=())], ""),
    ],
)
def test_a_number_is_the_accounts_that_alone_may_send_from_it(accounts: list[Account], owner: str):
    assert Owners(accounts, {"carrier": "10690001"}).owner_of("carrier", ("1069000188",)) == owner


def test_a_sender_is_appended_to_the_number_of_the_carrier_that_it_goes_by():
    owners = Owners([NAMED_A, ANY_B], {"one": "10690001", "two": "10690002"})
    assert owners.owner_of("two", ("1069000188",)) == "b"
    assert owners.owner_of("two", ("1069000288",)) == "a"
