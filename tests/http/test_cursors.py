"""A cursor over phone numbers shows none."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from gateway.http.cursors import SealedCursors

CURSORS = SealedCursors()


@given(st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable()))
def test_what_is_sealed_can_be_opened(place: str) -> None:
    assert CURSORS.open(CURSORS.seal(place)) == place


def test_a_number_cannot_be_read_from_it_and_two_are_never_alike() -> None:
    place = "+8613800138000/marketing/阳光物业"
    first, second = CURSORS.seal(place), CURSORS.seal(place)

    assert first != second
    assert b"138" not in base64.urlsafe_b64decode(first)


@given(st.integers(0, 40), st.integers(1, 255))
def test_one_that_was_changed_or_is_of_another_process_is_none(position: int, change: int) -> None:
    octets = bytearray(base64.urlsafe_b64decode(CURSORS.seal("+8613800138000/marketing/x")))
    octets[position % len(octets)] ^= change

    assert CURSORS.open(base64.urlsafe_b64encode(octets).decode()) is None
    assert SealedCursors().open(CURSORS.seal("x")) is None


def test_what_is_no_cursor_at_all_is_none() -> None:
    for cursor in ("", "x", "====", "AAAA", "ä", "A" * 5000):
        assert CURSORS.open(cursor) is None
