"""The table of ported numbers: read whole or not at all, small, and exact."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.numbers import Network
from gateway.routing.ported import PORTED_TO, PortTable, PortTableError

KEY = b"a key of the table"
mobile_numbers = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True).map("+86".__add__)


def hashed(e164: str, key: bytes = KEY) -> str:
    return hmac.digest(key, e164.encode(), "sha256").hex()


def a_table(*rows: str, key: bytes = b"") -> PortTable:
    return PortTable.parse(["number,network\n", *(f"{row}\n" for row in rows)], key)


def test_every_spelling_of_a_number_is_found_in_e164():
    table = a_table("13800138000,cucc", "+86 138 0013 8001,ctcc", "", '"008613900138000",cbn')
    assert len(table) == 3
    assert table.get("+8613800138000") is Network.CUCC
    assert table.get("+8613800138001") is Network.CTCC
    assert table.get("+8613900138000") is Network.CBN
    assert table.get("+8613800138002") is None
    assert table.get("+8619900138000") is None


def test_a_keyed_hash_stands_for_its_number_and_for_no_other():
    table = a_table(f"{hashed('+8613800138000')},cucc", f"{hashed('+8613900138000').upper()},cbn", key=KEY)
    assert table.get("+8613800138000") is Network.CUCC
    assert table.get("+8613900138000") is Network.CBN
    assert table.get("+8613800138001") is None
    assert a_table(f"{hashed('+8613800138000', b'another')},cucc", key=KEY).get("+8613800138000") is None


@given(st.dictionaries(mobile_numbers, st.sampled_from(PORTED_TO), max_size=50), st.booleans())
def test_a_table_says_what_its_rows_say(rows: dict[str, Network], in_hashes: bool):
    written = [f"{hashed(e164) if in_hashes else e164},{network}" for e164, network in rows.items()]
    table = a_table(*written, key=KEY)
    assert len(table) == len(rows)
    for e164, network in rows.items():
        assert table.get(e164) is network
        above = f"+86{int(e164[3:]) + 1}"
        assert table.get(above) is rows.get(above)


@given(st.lists(st.tuples(mobile_numbers, st.sampled_from([None, *PORTED_TO])), max_size=60))
def test_numbers_put_in_and_taken_out_by_hand_leave_what_a_dictionary_would_have(changes: list):
    table, expected = PortTable(), {}
    for e164, network in changes:
        if network is None:
            assert table.remove(e164) == (expected.pop(e164, None) is not None)
        else:
            table.put(e164, network)
            expected[e164] = network
        assert len(table) == len(expected)
    for e164, _ in changes:
        assert table.get(e164) is expected.get(e164)


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([], "line 1: columns: must be number,network"),
        (["13800138000,cucc"], "line 1: columns: must be number,network"),
        (["number,network", "13800138000"], "line 2: 1 columns: must be 2"),
        (["number,network", "13800138000,CUCC"], "line 2: network = CUCC: must be one of cmcc cucc ctcc cbn"),
        (["number,network", "13800138000,satnet"], "line 2: network = satnet: must be one of cmcc cucc ctcc cbn"),
        (["number,network", "12300138000,cucc"], "line 2: number: it is no mobile number"),
        (["number,network", "+13105551234,cucc"], "line 2: number = +131****1234: must be of mainland China"),
        (["number,network", "13800138000,cucc", "13800138000,cbn"], "number = 138****8000: must not come twice"),
        (["number,network", f"{'0' * 64},cucc"], "line 2: number is a keyed hash: numbers.ported_key must be set"),
        (["number,network", '"open,cucc'], "line 2: unexpected end of data"),
    ],
)
def test_a_wrong_table_is_refused_with_line_and_rule_and_shows_no_number(lines: list[str], error: str):
    with pytest.raises(PortTableError) as caught:
        PortTable.parse(lines)
    assert str(caught.value).startswith(error)
    assert "13800138000" not in str(caught.value)


def test_a_number_costs_four_octets_and_a_hash_eight():
    numbers = [f"138{n:08},cucc" for n in range(5_000)]
    table = a_table(*numbers)
    assert sum(len(shelf) * shelf.itemsize for shelf in table._numbers.values()) == 4 * 5_000
    hashes = a_table(*(f"{hashed(f'+86138{n:08}')},cucc" for n in range(500)), key=KEY)
    assert sum(len(shelf) * shelf.itemsize for shelf in hashes._hashes.values()) == 8 * 500
