import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.log_values import (
    TRACEBACK_ERRORS,
    VALUE_CHARACTERS,
    VALUE_ITEMS,
    mask_numbers,
    one_line,
    safe_text,
    safe_traceback,
    safe_value,
)

MAINLAND = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
FOREIGN = st.from_regex(r"[1-9][0-9]{7,14}", fullmatch=True).filter(lambda digits: not digits.startswith("86"))


def spellings(digits: str) -> list[str]:
    """How people and systems write a mainland number."""
    groups = (digits[:3], digits[3:7], digits[7:])
    return [
        digits,
        f"+86{digits}",
        f"+86 {' '.join(groups)}",
        f"+86-{'-'.join(groups)}",
        f"86{digits}",
        f"86 {digits}",
        f"0086{digits}",
        f"0{digits}",
        f"12520{digits}",
        f"8617951{digits}",
        " ".join(groups),
        "-".join(groups),
        "".join(chr(ord(digit) + 0xFEE0) for digit in digits),  # full width
        f"＋86{digits}",
    ]


@settings(deadline=None)
@given(digits=MAINLAND, before=st.sampled_from(["", "to=", "给", "tel:", "%2B", "("]), data=st.data())
def test_a_mainland_number_is_masked_however_it_is_written(digits: str, before: str, data: st.DataObject) -> None:
    spelling = data.draw(st.sampled_from(spellings(digits)))

    masked = mask_numbers(f"{before}{spelling}, and so on")

    assert masked == f"{before}{digits[:3]}****{digits[-4:]}, and so on"


@settings(deadline=None)
@given(digits=FOREIGN, data=st.data())
def test_a_foreign_number_with_its_plus_or_zeros_is_masked(digits: str, data: st.DataObject) -> None:
    prefix = data.draw(st.sampled_from(["+", "+ ", "00"]))

    masked = mask_numbers(f"to {prefix}{digits}.")

    assert digits not in masked
    assert digits[:-2] not in masked
    assert "****" in masked


@pytest.mark.parametrize("number", ["+1 310 555 1234", "+44 (0)7700 900123", "+852-9123-4567", "447700900123"])
def test_a_foreign_number_is_masked_as_people_write_it(number: str) -> None:
    assert "****" in mask_numbers(number)


@pytest.mark.parametrize(
    "text",
    [
        "1234567890123456",  # an id of a message, of 16 digits
        "288230376151711744",  # and of 18
        "2026-11-22T08:08:32.815+08:00",
        "192.168.100.200:12345",
        "must be 1 to 10000000",
        "1767225600",  # seconds since 1970
    ],
)
def test_ids_times_and_addresses_are_left_as_they_are(text: str) -> None:
    assert mask_numbers(text) == text


def test_an_id_of_a_message_is_never_taken_for_a_number() -> None:
    # From a few days after the epoch of the ids on they have 16 to 19 digits.
    for message_id in range(10**15, 2**63, 2**63 // 5_000):
        assert safe_value(str(message_id), "message") == str(message_id)
        assert safe_value(message_id, "message") == message_id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\tb", r"a\r\tb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\x85b\u2028c\u2029d", r"a\x85b\u2028c\u2029d"),
        ("\u202eabc", r"\u202eabc"),
        ("\ud83d", r"\ud83d"),
        ("【阳光物业】您好 😀", "【阳光物业】您好 😀"),
    ],
)
def test_what_breaks_lines_or_moves_a_terminal_is_escaped(text: str, expected: str) -> None:
    assert one_line(text) == expected


@settings(deadline=None)
@given(st.text())
def test_any_text_is_one_line_that_can_be_printed(text: str) -> None:
    safe = safe_text(text)

    assert len(safe.splitlines()) <= 1
    safe.encode("utf-8")


def test_a_long_text_is_cut_and_says_how_long_it_was() -> None:
    assert safe_text("x" * 5_000) == "x" * VALUE_CHARACTERS + "… (5000 characters)"
    assert safe_text("x" * VALUE_CHARACTERS) == "x" * VALUE_CHARACTERS


@settings(deadline=None)
@given(offset=st.integers(0, 10_000), number=st.sampled_from(spellings("13812345678")))
def test_a_number_that_is_cut_in_two_is_not_half_shown(offset: int, number: str) -> None:
    filler = "+8613987654321 " * (offset // 15)

    safe = safe_text(f"{filler}{number} {'x' * 10_000}")

    assert "12345" not in safe
    assert "1234 5" not in safe
    assert "1234-5" not in safe
    assert "87654" not in safe


class Secretive(msgspec.Struct):
    text: str


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        (13812345678, "138****5678"),
        (8613812345678, "138****5678"),
        (4096, 4096),
        (10**15, 10**15),
        ({"to": ["+8613812345678", 1]}, {"to": ["138****5678", 1]}),
        ({"13812345678": "a\nb"}, {"138****5678": r"a\nb"}),
        (("a", {"b"}), ["a", ["b"]]),
        (b"13812345678", "b'138****5678'"),
        (ValueError("13812345678"), "ValueError: 138****5678"),
        (Secretive("您的验证码是 1234"), "<Secretive>"),
        ([[[[["deep"]]]]], [[[["…"]]]]),
    ],
)
def test_values_of_every_kind_are_made_safe(value: Any, expected: Any) -> None:
    assert safe_value(value) == expected


def test_a_large_integer_that_names_its_unit_is_no_number() -> None:
    assert safe_value(13812345678, "disk_free_bytes") == 13812345678


def test_a_long_list_is_cut() -> None:
    assert len(safe_value(list(range(1_000)))) == VALUE_ITEMS
    assert len(safe_value({str(key): 0 for key in range(1_000)})) == VALUE_ITEMS


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    )
)
def test_any_value_can_be_written_as_json(value: Any) -> None:
    json.dumps(safe_value(value), ensure_ascii=False).encode("utf-8")


def raise_chain(depth: int) -> None:
    if depth == 0:
        raise KeyError("+8613812345678\nsecond line")
    try:
        raise_chain(depth - 1)
    except KeyError as error:
        raise KeyError(f"level {depth}") from error


def test_a_traceback_is_one_line_with_places_and_causes_and_no_number() -> None:
    with pytest.raises(KeyError) as caught:
        raise_chain(1)

    text = safe_traceback(caught.value)

    assert text.startswith(f"KeyError: 'level 1' at {__file__}:")
    assert "in raise_chain < " in text
    assert "; after KeyError: '138****5678\\nsecond line' at " in text
    assert len(text.splitlines()) == 1


def test_a_traceback_tells_of_what_a_group_holds() -> None:
    text = safe_traceback(ExceptionGroup("two", [ValueError("one"), OSError("other")]))

    assert text == "ExceptionGroup: two (2 sub-exceptions); after ValueError: one; after OSError: other"


def test_a_chain_of_errors_without_end_is_cut() -> None:
    with pytest.raises(KeyError) as caught:
        raise_chain(50)

    assert safe_traceback(caught.value).count("; after ") == TRACEBACK_ERRORS - 1
