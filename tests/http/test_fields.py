import msgspec
import pytest

from gateway.http.fields import FILTERS, MESSAGE, MESSAGE_REQUIRED, Shown, show, take_fields, take_parameters
from gateway.http.formats import Format
from gateway.http.problems import MAX_FAULTS, Fault
from gateway.message import Status


def faults_of(value: object) -> list[Fault]:
    """Both forms must find the same."""
    values, faults = take_fields(msgspec.json.encode(value), Format.JSON, MESSAGE, MESSAGE_REQUIRED)
    assert take_fields(msgspec.msgpack.encode(value), Format.MSGPACK, MESSAGE, MESSAGE_REQUIRED) == (values, faults)
    return faults


def test_every_fault_of_an_object_is_found_at_once() -> None:
    faults = faults_of({"to": 13800138000, "category": "spam", "valid_for_seconds": 0, "colour": "red"})

    assert faults == [
        Fault(pointer="/to", rule=MESSAGE["to"].rule, value="138****8000"),
        Fault(pointer="/category", rule="must be one of otp, notification, marketing", value="spam"),
        Fault(pointer="/valid_for_seconds", rule="must be an integer from 1 to 172800", value="0"),
        Fault(pointer="/colour", rule="is not a known member"),
        Fault(pointer="/text", rule="is required"),
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("to", None),
        ("to", {"a": 1}),
        ("to", ["13800138000", 5]),
        ("text", None),
        ("text", 5),
        ("text", ["a"]),
        ("category", "OTP"),
        ("category", 1),
        ("urgent", "true"),
        ("urgent", 1),
        ("signature", ""),
        ("signature", "x" * 65),
        ("sender", ""),
        ("sender", "1" * 21),
        ("sender", "106a"),
        ("sender", "1069\n"),
        ("sender", "١٠٦"),
        ("sender", 1069),
        ("client_ref", ""),
        ("client_ref", "x" * 65),
        ("client_ref", "a\nb"),
        ("client_ref", "a\x00"),
        ("batch", ""),
        ("batch", "x" * 65),
        ("send_at", "2026-03-01T08:00:00"),
        ("send_at", "tomorrow"),
        ("send_at", 1772323200),
        ("valid_for_seconds", 172_801),
        ("valid_for_seconds", -1),
        ("valid_for_seconds", 1.5),
        ("valid_for_seconds", "60"),
        ("valid_for_seconds", True),
        ("priority", "urgent"),
    ],
)
def test_a_wrong_member_is_named_with_its_rule(name: str, value: object) -> None:
    message = {"to": "13800138000", "text": "hello", name: value}

    [fault] = faults_of(message)

    assert (fault.pointer, fault.rule) == (f"/{name}", MESSAGE[name].rule)


@pytest.mark.parametrize("name", sorted(set(MESSAGE) - set(MESSAGE_REQUIRED)))
def test_null_means_absent_for_members_that_are_not_required(name: str) -> None:
    assert faults_of({"to": "13800138000", "text": "hello", name: None}) == []


def test_a_value_that_is_no_object_is_one_fault() -> None:
    assert faults_of(5) == [Fault(pointer="", rule="must be an object whose names are strings")]


def test_no_more_faults_are_gathered_than_are_told() -> None:
    faults = faults_of({f"unknown{n}": n for n in range(1000)})

    assert len(faults) == MAX_FAULTS


def test_names_are_escaped_in_pointers_and_numbers_in_them_masked() -> None:
    pointers = [fault.pointer for fault in faults_of({"a/b~c": 1, "13800138000": "x"})]

    assert pointers[:2] == ["/a~1b~0c", "/138****8000"]


@pytest.mark.parametrize(
    ("value", "shown", "expected"),
    [
        ("您的验证码是1234", Shown.NOT, None),
        (13800138000, Shown.MASKED, "138****8000"),
        ("+86 138-0013-8000", Shown.MASKED, "138****8000"),
        (1.38e10, Shown.MASKED, "+1380****0000"),
        ("张三", Shown.MASKED, "****"),
        (None, Shown.MASKED, "null"),
        (True, Shown.CLEAR, "true"),
        ([1], Shown.CLEAR, "an array"),
        ({}, Shown.MASKED, "an object"),
        ("x" * 1000, Shown.CLEAR, "x" * 64),
        ("order 13800138000 b", Shown.CLEAR, "order 138****8000 b"),
        (13800138000, Shown.CLEAR, "138****8000"),
        ("2026-03-01T08:00:00", Shown.CLEAR, "2026-03-01T08:00:00"),
    ],
)
def test_a_wrong_value_is_shown_without_numbers_or_texts(value: object, shown: Shown, expected: str | None) -> None:
    assert show(value, shown) == expected


@pytest.mark.parametrize(
    ("member", "rule"),
    [
        (b'"\xff"', "must be UTF-8 throughout"),
        (rb'"\ud83d"', r"must not have half of a surrogate pair (\ud83d\ude00 is a whole one)"),
        (rb'"a\udc00b"', r"must not have half of a surrogate pair (\ud83d\ude00 is a whole one)"),
        (rb'"\ud83d\ud83d\ude00"', r"must not have half of a surrogate pair (\ud83d\ude00 is a whole one)"),
        (b'"\x01"', "must be well-formed JSON: "),
        (b"tru", "must be well-formed JSON: "),
        (b"[" * 5000 + b"]" * 5000, "must not be nested so deeply"),
    ],
)
def test_what_is_not_well_formed_is_said(member: bytes, rule: str) -> None:
    _, [fault] = take_fields(b'{"to":"1","text":' + member + b"}", Format.JSON, MESSAGE, MESSAGE_REQUIRED)

    assert fault.rule.startswith(rule)
    assert fault.value is None


def test_a_number_out_of_all_range_is_a_wrong_member_like_others() -> None:
    body = b'{"to":"1","text":"x","valid_for_seconds":1e999}'

    _, [fault] = take_fields(body, Format.JSON, MESSAGE, MESSAGE_REQUIRED)

    assert fault == Fault(pointer="/valid_for_seconds", rule="must be an integer from 1 to 172800")


def test_parameters_are_read_from_their_strings() -> None:
    given = {"limit": "10", "status": "queued", "since": "2026-03-01T00:00:00Z", "to": "138"}

    values, faults = take_parameters(given, FILTERS)

    assert faults == []
    assert (values["limit"], values["status"], values["to"]) == (10, Status.QUEUED, "138")
    assert values["since"].timestamp() == 1_772_323_200


def test_wrong_parameters_are_named_with_their_rule() -> None:
    values, faults = take_parameters({"limit": "0", "status": "lost", "since": "", "colour": "red"}, FILTERS)

    assert values == {}
    assert [(fault.parameter, fault.value) for fault in faults] == [
        ("limit", "0"),
        ("status", "lost"),
        ("since", ""),
        ("colour", None),
    ]
