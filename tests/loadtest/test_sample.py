from pathlib import Path

import pytest

from loadtest.errors import CannotRun
from loadtest.sample import ARRAY_MESSAGES, Ending, Entry, read_sample, requests_of


def entry(ref: str, **more: object) -> Entry:
    message = {"to": "13812345678", "text": "停水", "client_ref": ref, **more}
    return Entry(message=message, expect=Ending("delivered"), note="water: a pump")


def test_codes_and_urgent_notices_are_sent_alone_and_the_others_in_arrays_in_order():
    entries = [entry(str(n)) for n in range(ARRAY_MESSAGES + 5)]
    entries[3:3] = [entry("code", category="otp"), entry("urgent", urgent=True)]
    requests = requests_of(entries)
    assert [(len(request.entries), request.single) for request in requests] == [
        (1, True),
        (1, True),
        (ARRAY_MESSAGES, False),
        (5, False),
    ]
    assert sorted(each.ref for request in requests for each in request.entries) == sorted(each.ref for each in entries)
    assert requests[0].body.startswith(b"{")
    assert requests[2].body.startswith(b"[")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("{", "truncated"),
        ('{"message": {}, "expect": {"status": "delivered"}, "note": "n"}', "message.client_ref: must be a string"),
        ('{"message": {"client_ref": "a", "to": "1", "text": "t"}, "expect": {}, "note": "n"}', "status"),
        ('{"message": {"client_ref": "a", "to": "1", "text": "t"}, "expect": {"state": "x"}, "note": "n"}', "state"),
    ],
)
def test_a_wrong_line_of_a_sample_is_named_with_its_rule(tmp_path: Path, line: str, rule: str):
    sample = tmp_path / "sample.jsonl"
    good = '{"message": {"client_ref": "b", "to": "1", "text": "t"}, "expect": {"status": "delivered"}, "note": "n"}'
    sample.write_text(f"{good}\n{line}\n", encoding="utf-8")
    with pytest.raises(CannotRun, match=rf"sample\.jsonl:2: .*{rule}"):
        read_sample(sample)


def test_two_lines_of_a_sample_with_one_ref_are_refused(tmp_path: Path):
    sample = tmp_path / "sample.jsonl"
    line = '{"message": {"client_ref": "b", "to": "1", "text": "t"}, "expect": {"status": "delivered"}, "note": "n"}\n'
    sample.write_text(line * 2, encoding="utf-8")
    with pytest.raises(CannotRun, match="in one line only"):
        read_sample(sample)


def test_an_empty_sample_and_a_missing_one_are_refused(tmp_path: Path):
    (tmp_path / "empty.jsonl").touch()
    for name in ("empty.jsonl", "missing.jsonl"):
        with pytest.raises(CannotRun, match=name):
            read_sample(tmp_path / name)
