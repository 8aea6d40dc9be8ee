"""Numbers: every spelling of one number is one number, and what is none is refused with its reason."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.numbers import (
    InvalidNumber,
    Kind,
    Network,
    Number,
    NumberFault,
    NumberPlan,
    NumberPlanError,
    PlanEntry,
    mask,
    normalise,
)

PLAN_FILE = Path(__file__).parents[1] / "config" / "number_plan.csv"
FULL_WIDTH = str.maketrans("0123456789+-()", "０１２３４５６７８９＋－（）")

mainland_numbers = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
prefixes = st.sampled_from(["", "+86", "0086", "86", "0", "+860", "12520", "12593", "17951", "+8612520"])


@pytest.fixture(scope="module")
def plan() -> NumberPlan:
    return NumberPlan.parse(PLAN_FILE.read_text(encoding="utf-8"))


@given(mainland_numbers, prefixes, st.booleans(), st.data())
def test_every_spelling_of_a_mainland_number_is_the_same_number(
    eleven: str, prefix: str, full_width: bool, data: st.DataObject
):
    spelling = list(prefix + eleven)
    for sign in data.draw(st.lists(st.sampled_from(" -()\u3000\u00a0"), max_size=8)):
        spelling.insert(data.draw(st.integers(0, len(spelling))), sign)
    raw = "".join(spelling)
    raw = raw.translate(FULL_WIDTH) if full_width else raw
    assert normalise(raw) == Number("+86" + eleven, mainland=True)


@pytest.mark.parametrize(
    "raw",
    [
        "13800138000",
        "138 0013 8000",
        "138-0013-8000",
        "+86 138 0013 8000",
        "+86-138-0013-8000",
        "(+86) 13800138000",
        "（＋８６）１３８－００１３－８０００",
        "0086 13800138000",
        "8613800138000",
        "013800138000",
        "+86 (0) 13800138000",
        "17951 13800138000",
        "12593-138-0013-8000",
        "\u300013800138000\u00a0",
    ],
)
def test_spellings_that_people_use_are_understood(raw: str):
    assert normalise(raw) == Number("+8613800138000", mainland=True)


@pytest.mark.parametrize(
    ("raw", "e164"),
    [
        ("+13105551234", "+13105551234"),
        ("0013105551234", "+13105551234"),
        ("+1 (310) 555-1234", "+13105551234"),
        ("＋１３１０５５５１２３４", "+13105551234"),
        ("+85291234567", "+85291234567"),
        ("00442071838750", "+442071838750"),
        ("+6831234", "+6831234"),  # seven digits, the least
        ("+123456789012345", "+123456789012345"),  # fifteen, the most
    ],
)
def test_a_number_with_another_country_code_is_never_mainland(raw: str, e164: str):
    assert normalise(raw) == Number(e164, mainland=False)


@given(st.from_regex(r"[1-79][0-9]{6,14}", fullmatch=True), st.sampled_from(["+", "00"]))
def test_plus_and_double_zero_are_the_same_and_what_is_normal_stays_so(digits: str, sign: str):
    number = normalise(sign + digits)
    assert number == Number("+" + digits, mainland=False)
    assert normalise(number.e164) == number


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", NumberFault.EMPTY),
        ("  -()", NumberFault.EMPTY),
        ("1" * 65, NumberFault.OVERLONG),
        ("1380013800a", NumberFault.CHARACTERS),
        ("13800138000\n", NumberFault.CHARACTERS),
        ("13800138000\x00", NumberFault.CHARACTERS),
        ("١٣٨٠٠١٣٨٠٠٠", NumberFault.CHARACTERS),  # digits, but no script that the rule names
        ("13800+138000", NumberFault.CHARACTERS),
        ("++8613800138000", NumberFault.CHARACTERS),
        ("+", NumberFault.CHARACTERS),
        ("1410123456789", NumberFault.IOT),
        ("+861440123456789", NumberFault.IOT),
        ("0086 140 0123456789", NumberFault.IOT),
        ("+861380013800", NumberFault.NOT_MOBILE),
        ("+861064812345678", NumberFault.NOT_MOBILE),
        ("+861012345678", NumberFault.NOT_MOBILE),  # a land line in Beijing
        ("1380013800", NumberFault.NO_COUNTRY_CODE),
        ("138001380001", NumberFault.NO_COUNTRY_CODE),
        ("12800138000", NumberFault.NO_COUNTRY_CODE),
        ("10086", NumberFault.NO_COUNTRY_CODE),
        ("+123456", NumberFault.NOT_E164),
        ("+1234567890123456", NumberFault.NOT_E164),
        ("+0123456789", NumberFault.NOT_E164),
        ("00013800138000", NumberFault.NOT_E164),
    ],
)
def test_what_is_no_number_is_refused_with_its_reason_and_without_the_number(raw: str, reason: NumberFault):
    with pytest.raises(InvalidNumber) as caught:
        normalise(raw)
    assert caught.value.reason is reason
    assert str(caught.value) == reason.value


@given(st.text(alphabet="0123456789+86 -()a\n\x00０＋", max_size=30))
def test_whatever_is_sent_ends_in_e164_or_in_a_refusal(raw: str):
    try:
        number = normalise(raw)
    except InvalidNumber:
        return
    assert number.e164[0] == "+"
    assert number.e164[1:].isascii()
    assert number.e164[1:].isdigit()
    assert 7 <= len(number.e164) - 1 <= 15
    assert number.mainland == number.e164.startswith("+86")


@pytest.mark.parametrize(
    ("e164", "masked"),
    [
        ("+8613812345678", "138****5678"),
        ("+13105551234", "+131****1234"),
        ("+442071838750", "+4420****8750"),
        ("+123456789012345", "+1234****2345"),
        ("+6831234", "+6****34"),
        ("", "****"),
        ("10086", "****"),
    ],
)
def test_a_masked_number_shows_its_ends_only(e164: str, masked: str):
    assert mask(e164) == masked


@given(st.one_of(mainland_numbers.map("+86".__add__), st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)))
def test_a_mask_hides_at_least_four_digits(e164: str):
    shown = mask(e164).replace("****", "").removeprefix("+")
    national_digits = 11 if mask(e164)[0] != "+" else len(e164) - 1
    assert national_digits - len(shown) >= 4


@pytest.mark.parametrize(
    ("raw", "network", "kind"),
    [
        ("13012345678", Network.CUCC, Kind.MOBILE),
        ("13312345678", Network.CTCC, Kind.MOBILE),
        ("13401234567", Network.CMCC, Kind.MOBILE),
        ("13481234567", Network.CMCC, Kind.MOBILE),
        ("13491234567", Network.CTCC, Kind.SATELLITE),  # four digits win over three
        ("14512345678", Network.CUCC, Kind.DATA),
        ("14812345678", Network.CMCC, Kind.IOT),
        ("16101234567", Network.CBN, Kind.MOBILE),
        ("16191234567", Network.SATNET, Kind.SATELLITE),
        ("16212345678", Network.CTCC, Kind.MVNO),
        ("17031234567", Network.CMCC, Kind.MVNO),
        ("17041234567", Network.CUCC, Kind.MVNO),
        ("17401234567", Network.CTCC, Kind.SATELLITE),
        ("19212345678", Network.CBN, Kind.MOBILE),
        ("19912345678", Network.CTCC, Kind.MOBILE),
        ("16112345678", Network.UNKNOWN, Kind.MOBILE),
        ("17412345678", Network.UNKNOWN, Kind.MOBILE),
        ("19412345678", Network.UNKNOWN, Kind.MOBILE),
        ("+13105551234", Network.OTHER, Kind.MOBILE),
        ("+85291234567", Network.OTHER, Kind.MOBILE),
    ],
)
def test_the_plan_says_which_network_gave_a_number_out(plan: NumberPlan, raw: str, network: Network, kind: Kind):
    assert plan.lookup(normalise(raw)) == PlanEntry(network, kind)


def test_every_row_of_the_plan_is_found_by_its_prefix(plan: NumberPlan):
    for row in PLAN_FILE.read_text(encoding="utf-8").splitlines()[1:]:
        prefix, network, kind, _ = row.split(",")
        entry = plan.lookup(normalise(prefix.ljust(11, "8")))
        assert entry == PlanEntry(Network(network), Kind(kind)), prefix


HEADER = "prefix,network,kind,note\n"


@pytest.mark.parametrize(
    ("csv_text", "error"),
    [
        ("", "line 1: columns: must be prefix,network,kind,note"),
        ("prefix,network,kind\n130,cucc,mobile\n", "line 1: columns: must be prefix,network,kind,note"),
        (HEADER, "line 2: must be the first row of the table"),
        (HEADER + "130,cucc,mobile\n", "line 2: 3 columns: must be 4"),
        (HEADER + "130,cucc,mobile,\n13,,,\n", "line 3: prefix = 13: must be three or four digits from 13 to 19"),
        (HEADER + "１３０,cucc,mobile,\n", "line 2: prefix = １３０: must be three or four digits from 13 to 19"),
        (HEADER + "130,CUCC,mobile,\n", "line 2: network = CUCC: must be one of cmcc cucc ctcc cbn satnet"),
        (HEADER + "130,unknown,mobile,\n", "line 2: network = unknown: must be one of cmcc cucc ctcc cbn satnet"),
        (HEADER + "130,cucc,phone,\n", "line 2: kind = phone: must be one of mobile mvno data iot satellite"),
        (HEADER + "130,cucc,mobile,\n\n130,cmcc,mobile,\n", "line 4: prefix = 130: must not come twice"),
        (HEADER + '130,cucc,mobile,"open\n', "line 2: unexpected end of data"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_line_value_and_rule(csv_text: str, error: str):
    with pytest.raises(NumberPlanError) as caught:
        NumberPlan.parse(csv_text)
    assert str(caught.value) == error


def test_a_table_that_a_spreadsheet_saved_is_read():
    plan = NumberPlan.parse('\ufeffprefix,network,kind,note\r\n130,cucc,mobile,"a, b"\r\n\r\n')
    assert plan.lookup(normalise("13012345678")) == PlanEntry(Network.CUCC, Kind.MOBILE)
