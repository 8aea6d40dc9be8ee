from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from gateway.account import Account
from gateway.http.bodies import MAX_COMMAS, SMALL_BODY_BYTES, Submission, Terms, read_submission
from gateway.http.formats import Format
from gateway.http.problems import MAX_FAULTS, Code, Fault, Problem
from gateway.message import Category, Priority
from gateway.policy.candidate import Draft

NOW = 1_772_323_200_000  # 2026-03-01T00:00:00Z
ENCODERS = {Format.JSON: msgspec.json.encode, Format.MSGPACK: msgspec.msgpack.encode}
HELLO = {"to": "13800138000", "text": "hello"}


def terms(form: Format = Format.JSON, **changed: Any) -> Terms:
    given: dict[str, Any] = {"account": Account(name="alpha"), "form": form, "now": NOW, "max_messages": 10_000}
    return Terms(**(given | changed))


async def read(content: Any, **changed: Any) -> Submission:
    """Both forms must give the same."""
    submissions = [await read_submission(ENCODERS[form](content), terms(form, **changed)) for form in Format]
    assert fields_of(submissions[0].drafts) == fields_of(submissions[1].drafts)
    assert submissions[0].places == submissions[1].places
    assert submissions[0].single == submissions[1].single
    return submissions[0]


def fields_of(drafts: Any) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(draft) for draft in drafts]


async def problem_of(content: Any, **changed: Any) -> Problem:
    """Both forms must give the same."""
    problems = []
    for form in Format:
        with pytest.raises(Problem) as caught:
            await read_submission(ENCODERS[form](content), terms(form, **changed))
        problems.append(caught.value)
    assert problems[0].document() == problems[1].document()
    return problems[0]


async def problem_of_octets(body: bytes, form: Format = Format.JSON) -> Problem:
    with pytest.raises(Problem) as caught:
        await read_submission(body, terms(form))
    return caught.value


async def test_an_object_is_one_message_with_the_defaults_of_a_draft() -> None:
    submission = await read(HELLO)

    assert submission.single
    assert fields_of(submission.drafts) == fields_of([Draft(to="13800138000", text="hello")])


async def test_every_member_is_taken() -> None:
    message = {
        "to": "13800138000",
        "text": "【阳光物业】电费",
        "category": "marketing",
        "urgent": True,
        "signature": "阳光物业",
        "sender": "1069",
        "client_ref": "bill-1",
        "batch": "march",
        "send_at": "2026-03-02T08:00:00+08:00",
        "valid_for_seconds": 172_800,
        "priority": "low",
    }

    [draft] = (await read(message)).drafts

    assert fields_of([draft]) == fields_of(
        [
            Draft(
                to="13800138000",
                text="【阳光物业】电费",
                category=Category.MARKETING,
                urgent=True,
                signature="阳光物业",
                sender="1069",
                client_ref="bill-1",
                batch="march",
                send_at=datetime(2026, 3, 2, tzinfo=UTC),
                valid_for_seconds=172_800,
                priority=Priority.LOW,
            )
        ]
    )


async def test_null_is_absent() -> None:
    [draft] = (await read({**HELLO, "client_ref": None, "category": None, "urgent": None, "send_at": None})).drafts

    assert fields_of([draft]) == fields_of([Draft(to="13800138000", text="hello")])


async def test_a_duplicate_name_counts_as_its_last() -> None:
    submission = await read_submission(b'{"to":"1","to":"2","text":"a"}', terms())

    assert submission.drafts[0].to == "2"


@pytest.mark.parametrize("count", [1, 2, 199, 200, 201, 1000])
async def test_an_array_is_its_messages_in_order_however_many(count: int) -> None:
    submission = await read([{**HELLO, "client_ref": f"r{n}", "text": "x" * 100} for n in range(count)])

    assert not submission.single
    assert submission.places is None
    assert [draft.client_ref for draft in submission.drafts] == [f"r{n}" for n in range(count)]


async def test_an_array_of_one_is_still_an_array() -> None:
    assert not (await read([HELLO])).single


@pytest.mark.parametrize("filler", ["", "x" * SMALL_BODY_BYTES])
async def test_every_malformed_message_is_named_by_its_index(filler: str) -> None:
    """In small bodies and large ones, which take different ways."""
    good = {**HELLO, "text": filler}

    problem = await problem_of([good, {**HELLO, "to": 5}, good, {"to": "1"}, {**HELLO, "colour": 1}, 7])

    assert problem.code is Code.INVALID_REQUEST
    assert [(fault.pointer, fault.rule) for fault in problem.faults] == [
        ("/1/to", "must be a string; of a single message also an array of strings"),
        ("/3/text", "is required"),
        ("/4/colour", "is not a known member"),
        ("/5", "must be an object whose names are strings"),
    ]


async def test_no_more_faults_are_told_than_the_limit() -> None:
    problem = await problem_of([{"to": 5, "text": 5}] * 1000)

    assert len(problem.faults) == MAX_FAULTS
    assert problem.faults[-1].pointer == "/9/text"


async def test_an_empty_array_is_malformed() -> None:
    problem = await problem_of([])

    assert problem.faults == (Fault(pointer="", rule="must have 1 to 10000 elements", value="none"),)


async def test_ten_thousand_messages_are_taken_and_one_more_is_too_large() -> None:
    assert len((await read([HELLO] * 10_000)).drafts) == 10_000

    problem = await problem_of([HELLO] * 10_001)

    assert problem.code is Code.TOO_LARGE


@pytest.mark.parametrize("content", [5, "hello", None, True, 1.5])
async def test_what_is_neither_object_nor_array_is_malformed(content: object) -> None:
    [fault] = (await problem_of(content)).faults

    assert fault == Fault(pointer="", rule="must be a message, which is an object, or an array of messages")


async def test_an_array_that_is_absurdly_long_is_refused_before_it_takes_memory() -> None:
    for body, form in [
        (b"[" + b"0," * (MAX_COMMAS + 1) + b"0]", Format.JSON),
        (b"\xdd\xff\xff\xff\xff" + bytes(SMALL_BODY_BYTES), Format.MSGPACK),
        (b"\xdf\xff\xff\xff\xff" + bytes(SMALL_BODY_BYTES), Format.MSGPACK),
    ]:
        problem = await problem_of_octets(body, form)

        assert problem.code is Code.TOO_LARGE


@pytest.mark.parametrize(
    ("body", "pointer", "rule"),
    [
        (b"", "", "must be a message"),
        (b"{", "", "must be well-formed JSON: Input data was truncated"),
        (b"[", "", "must be well-formed JSON: Input data was truncated"),
        (b'{"to":"1","text":"a"} x', "", "must be well-formed JSON: JSON is malformed: trailing characters (byte 23)"),
        (b'[{"to":"1","text":"a"}}', "", "must be well-formed JSON: JSON is malformed: expected ',' or ']' (byte 22)"),
        (b'[{"to":"1","text":"\xff"}]', "/0/text", "must be UTF-8 throughout"),
        (b'{"to":"1","text":"\xed\xa0\x80"}', "/text", "must be UTF-8 throughout"),
        (b'{"to":"1","text":"a","\xff":1}', "", "must be UTF-8 throughout"),
        (rb'[{"to":"1","text":"\ud800"}]', "", "must not have half of a surrogate pair"),
        (rb'{"to":"1","text":"\udc00"}', "", "must not have half of a surrogate pair"),
        (b"[" * 100_000 + b"]" * 100_000, "", "must not be nested so deeply"),
        (b'{"to":' * 100_000, "", "must not be nested so deeply"),
        (b'{"to":"1","text":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "", "must not be nested so deeply"),
        (b"\xef\xbb\xbf{}", "", "must be a message"),
        (b"{'to':'1'}", "", "must be well-formed JSON"),
        (b'{"to":"1","text":NaN}', "", "must be well-formed JSON"),
    ],
)
async def test_damaged_json_is_malformed_and_says_where(body: bytes, pointer: str, rule: str) -> None:
    problem = await problem_of_octets(body)

    assert problem.code is Code.INVALID_REQUEST
    assert problem.faults[0].pointer == pointer
    assert problem.faults[0].rule.startswith(rule)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x91\xc1",
        msgspec.msgpack.encode(HELLO)[:-1],
        msgspec.msgpack.encode([HELLO])[:-1],
        msgspec.msgpack.encode(HELLO) + b"\x00",
        b"\x81\xc4\x02to\xa11",  # a binary key
        b"\x81\x01\xa11",  # a number for a key
        b"\x81\x90\xa11",  # an array for a key
        b"\x82\xa2to\xc4\x011\xa4text\xa1a",  # a binary number
        b"\x82\xa2to\xd4\x05x\xa4text\xa1a",  # an extension
        b"\x82\xa2to\xa11\xa4text\xa1\xff",
        b"\x82\xa2to\xa11\xa4text\xa3\xed\xa0\x80",  # half of a surrogate pair
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x91" * 50_000 + b"\xc0",
        b"\x83\xa2to\xa11\xa4text\xa1a\xa7send_at\xc7\x0c\xff" + b"\xff" * 12,  # a time out of range
    ],
)
async def test_damaged_msgpack_is_malformed(body: bytes) -> None:
    problem = await problem_of_octets(body, Format.MSGPACK)

    assert problem.code is Code.INVALID_REQUEST
    assert problem.faults


async def test_a_msgpack_timestamp_is_a_time() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)

    [draft] = (await read_submission(msgspec.msgpack.encode({**HELLO, "send_at": at}), terms(Format.MSGPACK))).drafts

    assert draft.send_at == at


async def test_nul_in_a_text_is_left_to_policy() -> None:
    [draft] = (await read({**HELLO, "text": "a\x00b"})).drafts

    assert draft.text == "a\x00b"


async def test_sending_is_asked_for_at_most_30_days_ahead() -> None:
    limit = datetime(2026, 3, 31, tzinfo=UTC)
    await read({**HELLO, "send_at": limit.isoformat()})

    [fault] = (await problem_of([HELLO, {**HELLO, "send_at": (limit + timedelta(seconds=1)).isoformat()}])).faults

    assert (fault.pointer, fault.rule) == ("/1/send_at", "must be at most 30 days ahead")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "2020-01-01T00:00:00Z"])
async def test_a_time_that_has_passed_is_a_time(at: str) -> None:
    await read({**HELLO, "send_at": at})


async def test_a_time_at_the_end_of_all_is_too_far_ahead() -> None:
    [fault] = (await problem_of({**HELLO, "send_at": "9999-12-31T23:59:59-23:59"})).faults

    assert fault.rule == "must be at most 30 days ahead"


async def test_what_the_account_may_not_ask_for_fails_the_request() -> None:
    high = {**HELLO, "priority": "high"}

    [single] = (await problem_of(high)).faults
    [in_array] = (await problem_of([HELLO, high])).faults
    [to_many] = (await problem_of({**high, "to": ["13800138000"]})).faults

    assert single.rule == "high is for otp, and for notification where the account has allow_high"
    assert [single.pointer, in_array.pointer, to_many.pointer] == ["/priority", "/1/priority", "/priority"]


async def test_one_text_goes_to_many_numbers() -> None:
    submission = await read({**HELLO, "to": ["13800138000", "13800138001"], "client_ref": "r", "batch": "b"})

    assert not submission.single
    assert fields_of(submission.drafts) == fields_of(
        [
            Draft(to="13800138000", text="hello", client_ref="r:0", batch="b"),
            Draft(to="13800138001", text="hello", client_ref="r:1", batch="b"),
        ]
    )
    assert submission.places == [0, 1]


async def test_a_number_in_another_spelling_is_the_same_number() -> None:
    numbers = ["13800138000", "junk", "+86 138 0013 8000", "13800138001", "junk", "008613800138000"]

    submission = await read({**HELLO, "to": numbers, "client_ref": "r"})

    assert [draft.to for draft in submission.drafts] == ["13800138000", "junk", "13800138001"]
    assert [draft.client_ref for draft in submission.drafts] == ["r:0", "r:1", "r:3"]
    assert submission.places == [0, 1, 0, 2, 1, 0]


async def test_ten_thousand_numbers_are_taken_and_one_more_is_too_large() -> None:
    numbers = [f"138{n:08}" for n in range(10_001)]

    assert len((await read({**HELLO, "to": numbers[:-1]})).drafts) == 10_000
    assert (await problem_of({**HELLO, "to": numbers})).code is Code.TOO_LARGE
    assert (await problem_of({**HELLO, "to": []})).faults[0].pointer == "/to"


async def test_in_an_array_each_message_has_one_number() -> None:
    [fault] = (await problem_of([HELLO, {**HELLO, "to": ["13800138000"]}])).faults

    assert fault == Fault(pointer="/1/to", rule="must be a string: in an array, each message has one number")


async def test_an_idempotency_key_is_the_client_ref_of_what_has_none() -> None:
    key = "order-7"

    single = await read(HELLO, idempotency_key=key)
    own = await read({**HELLO, "client_ref": "mine"}, idempotency_key=key)
    array = await read([HELLO, {**HELLO, "client_ref": "mine"}, HELLO], idempotency_key=key)
    many = await read({**HELLO, "to": ["13800138000", "13800138001"]}, idempotency_key=key)

    references = [[draft.client_ref for draft in each.drafts] for each in (single, own, array, many)]
    assert references == [
        ["order-7"],
        ["mine"],
        ["order-7:0", "mine", "order-7:2"],
        ["order-7:0", "order-7:1"],
    ]


@pytest.mark.parametrize(("content", "longest"), [(HELLO, 64), ([HELLO], 58), ({**HELLO, "to": ["13800138000"]}, 58)])
async def test_an_idempotency_key_has_a_longest_length(content: object, longest: int) -> None:
    await read(content, idempotency_key="k" * longest)

    [fault] = (await problem_of(content, idempotency_key="k" * (longest + 1))).faults

    assert fault == Fault(header="Idempotency-Key", rule=f"must be 1 to {longest} printable ASCII characters")


@pytest.mark.parametrize("key", ["", "钥匙", "a\tb", "\udcff"])
async def test_an_idempotency_key_is_printable_ascii(key: str) -> None:
    [fault] = (await problem_of(HELLO, idempotency_key=key)).faults

    assert fault.header == "Idempotency-Key"


async def test_a_client_ref_for_many_numbers_leaves_room_for_the_index() -> None:
    many = {**HELLO, "to": ["13800138000"]}
    await read({**many, "client_ref": "r" * 58})

    [fault] = (await problem_of({**many, "client_ref": "r" * 59})).faults

    assert fault.pointer == "/client_ref"


async def test_no_problem_quotes_a_number_or_a_text() -> None:
    secret = {"to": ["13800138000"], "text": {"code": "您的验证码 246810"}, "content": "您的验证码 246810"}
    problems = [
        await problem_of([secret, {**HELLO, "to": 13800138000}]),
        await problem_of({**HELLO, "text": 246810}),
        await problem_of({**HELLO, "client_ref": "13800138000" * 9}),
        await problem_of_octets(b'{"to":"13800138000","text":"246810'),
    ]

    for problem in problems:
        told = msgspec.json.encode(problem.document())
        assert b"13800138000" not in told
        assert b"246810" not in told
