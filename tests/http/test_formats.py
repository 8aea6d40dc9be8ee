import msgspec
import pytest

from gateway.http.formats import Format, Shape, answer_format, body_format, msgpack_length, shape_of
from gateway.http.problems import Code, Problem


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("application/json", Format.JSON),
        ("application/json; charset=utf-8", Format.JSON),
        ('Application/JSON;charset="UTF-8"', Format.JSON),
        ("application/msgpack", Format.MSGPACK),
        ("application/x-msgpack", Format.MSGPACK),
        ("application/vnd.msgpack", Format.MSGPACK),
    ],
)
def test_a_body_is_read_as_its_content_type_says(content_type: str, form: Format) -> None:
    assert body_format(content_type, None) is form
    assert body_format(content_type, "identity") is form


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        (None, None),
        ("", None),
        ("text/plain", None),
        ("application/x-www-form-urlencoded", None),
        ("application/json; charset=gbk", None),
        ("application/json", "gzip"),
    ],
)
def test_other_content_types_and_encodings_are_not_taken(content_type: str | None, encoding: str | None) -> None:
    with pytest.raises(Problem) as caught:
        body_format(content_type, encoding)

    assert caught.value.code is Code.UNSUPPORTED_MEDIA_TYPE


@pytest.mark.parametrize(
    ("accept", "asked_in", "form"),
    [
        (None, Format.MSGPACK, Format.MSGPACK),
        ("*/*", Format.MSGPACK, Format.MSGPACK),
        ("application/json", Format.MSGPACK, Format.JSON),
        ("application/msgpack", Format.JSON, Format.MSGPACK),
        ("text/html, application/msgpack;q=0.9, application/json", Format.JSON, Format.MSGPACK),
        ("image/png", Format.JSON, Format.JSON),
    ],
)
def test_an_answer_is_written_as_the_client_accepts_it(accept: str | None, asked_in: Format, form: Format) -> None:
    assert answer_format(accept, asked_in) is form


@pytest.mark.parametrize(
    "value", [{}, {"a": 1}, [], [1, 2], list(range(100)), {str(n): n for n in range(100)}, 5, "x", None]
)
def test_the_shape_of_a_body_is_seen_from_its_first_octet(value: object) -> None:
    shape = {dict: Shape.OBJECT, list: Shape.ARRAY}.get(type(value), Shape.OTHER)
    packed = msgspec.msgpack.encode(value)

    assert shape_of(b" \r\n\t" + msgspec.json.encode(value), Format.JSON) is shape
    assert shape_of(packed, Format.MSGPACK) is shape
    assert msgpack_length(packed) == (len(value) if isinstance(value, dict | list) else 0)


def test_an_empty_body_has_no_shape() -> None:
    assert shape_of(b"", Format.JSON) is Shape.OTHER
    assert shape_of(b"", Format.MSGPACK) is Shape.OTHER


@pytest.mark.parametrize("count", [70_000, 300])
def test_long_msgpack_arrays_and_maps_say_how_long_they_are(count: int) -> None:
    assert msgpack_length(msgspec.msgpack.encode([None] * count)) == count
    assert msgpack_length(msgspec.msgpack.encode(dict.fromkeys(range(count)))) == count
