"""The ledger over journals written by hand, and over one of a real run."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.text import cut
from simulator import Simulator
from simulator.journal import render
from simulator.ledger import Finding, Ledger, main
from simulator.records import CannotRead, Record
from tests.simulator.clients import bound, eventually, id_of, submit_to

TO = "8613800001234"


class Lines:
    """Writes the lines of a journal."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def submit(self, text: str, taken_as: str | None, *, part: tuple[int, int] = (1, 1), to: str = TO) -> None:
        line = self._line("submit_sm") | {"to": to, "text": text}
        if part != (1, 1):
            line["part"] = {"reference": 1, "number": part[0], "total": part[1]}
        if taken_as is not None:
            line["taken_as"] = taken_as
        self.lines.append(line)

    def receipt(self, taken_as: str, stat: str, *, status: str = "ESME_ROK") -> None:
        self.lines.append(self._line("deliver_sm") | {"taken_as": taken_as, "stat": stat})
        self.lines.append(self._line("deliver_sm_resp") | {"taken_as": taken_as, "stat": stat, "status": status})

    def _line(self, command: str) -> dict[str, Any]:
        n = len(self.lines) + 1
        return {"n": n, "command": command, "status": "ESME_ROK", "bind": "gateway-1", "system_id": "gateway"}

    def compare(self, *records: Record) -> list[Finding]:
        return Ledger(self.lines).compare(records)


def kinds(findings: list[Finding]) -> list[str]:
    return [finding.kind for finding in findings]


def test_a_message_that_was_processed_once_and_told_rightly_is_in_order() -> None:
    lines = Lines()
    lines.submit("hello", "1")
    lines.receipt("1", "ENROUTE")
    lines.receipt("1", "DELIVRD")

    assert lines.compare(Record("m1", f"+{TO}", "hello", "delivered")) == []


def test_a_message_that_never_came_is_lost() -> None:
    [finding] = Lines().compare(Record("m1", TO, "hello"))

    assert finding == Finding("lost", "m1", TO, "parts [1] of 1 were never processed")


def test_a_message_that_was_refused_or_ignored_is_lost() -> None:
    lines = Lines()
    lines.submit("hello", None)

    assert kinds(lines.compare(Record("m1", TO, "hello"))) == ["lost"]


def test_a_message_of_which_a_part_is_missing_is_lost() -> None:
    lines = Lines()
    lines.submit("hello ", "1", part=(1, 3))
    lines.submit("moon", "2", part=(3, 3))

    [finding] = lines.compare(Record("m1", TO, "hello old moon"))

    assert (finding.kind, finding.detail) == ("lost", "parts [2] of 3 were never processed")


def test_what_comes_behind_a_missing_part_belongs_to_its_message() -> None:
    lines = Lines()
    lines.submit("hello ", "1", part=(1, 3))
    lines.submit("moon", "2", part=(3, 3))

    assert Ledger(lines.lines).compare([Record("m1", TO, "hello old moon", "unknown")], complete=True) == []
    repeated = Record("m1", TO, "hello moon, hello moon", "unknown")  # the last part has its text at another place, too
    assert Ledger(lines.lines).compare([repeated], complete=True) == []
    findings = Ledger(lines.lines).compare([Record("m1", TO, "hello old man", "unknown")], complete=True)
    assert [(finding.kind, finding.id) for finding in findings] == [("unrecorded", "2")]


def test_a_part_that_was_processed_twice_is_duplicated() -> None:
    lines = Lines()
    lines.submit("hello ", "1", part=(1, 2))
    lines.submit("moon", "2", part=(2, 2))
    lines.submit("moon", "3", part=(2, 2))

    [finding] = lines.compare(Record("m1", TO, "hello moon"))

    assert finding.kind == "duplicated"
    assert finding.detail == "part 2 of 2 was processed 2 times: 2 by gateway-1, 3 by gateway-1"


def test_parts_that_came_out_of_order_are_misordered() -> None:
    lines = Lines()
    lines.submit("moon", "2", part=(2, 2))
    lines.submit("hello ", "1", part=(1, 2))

    assert kinds(lines.compare(Record("m1", TO, "hello moon"))) == ["misordered"]


@pytest.mark.parametrize(
    ("stats", "status"),
    [
        (("DELIVRD", "DELIVRD"), "delivered"),
        (("DELIVRD", "UNDELIV"), "failed"),
        (("EXPIRED", "UNKNOWN"), "failed"),
        (("DELIVRD", "UNKNOWN"), "unknown"),
    ],
)
@pytest.mark.parametrize("told", ["delivered", "failed", "unknown"])
def test_a_status_that_the_receipts_do_not_make_is_mis_stated(stats: tuple[str, str], status: str, told: str) -> None:
    lines = Lines()
    for number, stat in enumerate(stats, 1):
        lines.submit(f"part {number}.", str(number), part=(number, 2))
        lines.receipt(str(number), stat)

    findings = lines.compare(Record("m1", TO, "part 1.part 2.", told))

    assert kinds(findings) == ([] if told == status else ["mis-stated"])


def test_a_receipt_that_was_not_acknowledged_told_nothing() -> None:
    lines = Lines()
    lines.submit("hello", "1")
    lines.receipt("1", "UNDELIV", status="ESME_RX_T_APPN")

    assert lines.compare(Record("m1", TO, "hello", "delivered")) == []


def test_a_message_that_failed_once_and_was_delivered_at_the_second_try_is_delivered() -> None:
    lines = Lines()
    for number, stat in (("1", "UNDELIV"), ("2", "DELIVRD")):
        lines.submit("hello", number)
        lines.receipt(number, stat)

    assert kinds(lines.compare(Record("m1", TO, "hello", "delivered"))) == ["duplicated"]


def test_texts_to_one_number_are_told_apart() -> None:
    lines = Lines()
    lines.submit("one", "1")
    lines.submit("two ", "2", part=(1, 2))
    lines.submit("of two", "3", part=(2, 2))
    lines.submit("one", "4", to="8613800005678")

    records = [Record("m1", TO, "one"), Record("m2", TO, "two of two"), Record("m3", TO, "three")]

    assert [(finding.kind, finding.id) for finding in lines.compare(*records)] == [("lost", "m3")]


def test_texts_to_one_number_that_end_alike_are_told_apart_by_their_ids() -> None:
    lines = Lines()
    for beginning, ids in (("one ", ("1", "2")), ("two ", ("3", "4"))):
        lines.submit(beginning, ids[0], part=(1, 2))
        lines.submit("and so on", ids[1], part=(2, 2))
    records = [
        Record("m2", TO, "two and so on", message_ids=("3", "4")),
        Record("m1", TO, "one and so on", message_ids=("1", "2")),
    ]

    assert lines.compare(*records) == []

    lines.submit("and so on", "5", part=(2, 2))  # nobody knows whose, but it is one too many

    assert kinds(lines.compare(*records)) == ["duplicated"]


async def test_the_journal_of_a_run_shows_what_a_careless_client_did(simulator: Simulator, tmp_path: Path) -> None:
    long_text = "停水通知" * 30
    segments = cut(long_text, reference=9)
    parts = [
        submit_to(TO, esm_class=segments.esm_class, data_coding=segments.coding, short_message=part)
        for part in segments.parts
    ]
    async with bound(simulator.port) as client:
        for body in [*parts, submit_to("8613800000015"), submit_to("8613800000001"), submit_to("8613800000010")]:
            client.connection.send(body)
        again = id_of(await client.submit("8613800000015"))
        await client.receipts_of(again)
        await eventually(lambda: simulator.counts()["deliveries_open"] == 0)
    lines = [render(entry, number=number, with_text=True) for number, entry in simulator.journal.snapshot()]
    journal, records = tmp_path / "journal.jsonl", tmp_path / "records.jsonl"
    journal.write_text("\n".join(json.dumps(line) for line in lines))
    records.write_text(
        "\n".join(
            json.dumps({"id": name, "to": to, "text": text, "status": status})
            for name, to, text, status in [
                ("long", TO, long_text, "delivered"),
                ("blind", "8613800000015", "hello", "delivered"),
                ("failed", "8613800000001", "hello", "delivered"),
                ("refused", "8613800000010", "hello", "delivered"),
            ]
        )
    )

    findings = Ledger(lines).compare([Record(**json.loads(line)) for line in records.read_text().splitlines()])

    assert [(finding.kind, finding.id) for finding in findings] == [
        ("duplicated", "blind"),
        ("mis-stated", "failed"),
        ("lost", "refused"),
    ]
    assert await asyncio.to_thread(main, [str(journal), str(records)]) == 1


def test_the_command_prints_what_is_wrong_and_says_so_in_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines()
    lines.submit("hello", "1")
    journal, records = tmp_path / "journal.jsonl", tmp_path / "records.jsonl"
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines.lines))

    records.write_text(json.dumps({"id": "m1", "to": TO, "text": "hello"}))
    assert main([str(journal), str(records)]) == 0
    assert capsys.readouterr().out == "records=1 lost=0 duplicated=0 misordered=0 mis-stated=0\n"

    records.write_text(json.dumps({"id": "m2", "to": TO, "text": "moon"}))
    assert main([str(journal), str(records)]) == 1
    assert capsys.readouterr().out == (
        f"lost m2 to {TO}: parts [1] of 1 were never processed\n"
        "records=1 lost=1 duplicated=0 misordered=0 mis-stated=0\n"
    )


def test_two_records_of_one_text_to_one_number_are_two_messages() -> None:
    lines = Lines()
    lines.submit("hello", "1")
    lines.submit("hello", "2")

    same = [Record("m1", TO, "hello"), Record("m2", TO, "hello")]
    assert lines.compare(*same) == []
    assert kinds(lines.compare(*same, Record("m3", TO, "hello"))) == ["lost"]


def test_copies_of_one_text_belong_to_the_record_that_names_their_ids() -> None:
    lines = Lines()
    for number in "123":
        lines.submit("hello", number)
    first = Record("m1", TO, "hello", message_ids=("1", "3"))

    [finding] = lines.compare(first, Record("m2", TO, "hello"))

    assert (finding.kind, finding.id) == ("duplicated", "m1")
    assert finding.detail.endswith("1 by gateway-1, 3 by gateway-1")


def test_a_message_whose_text_is_not_told_is_known_by_its_ids() -> None:
    lines = Lines()
    lines.submit("code 1", "1", part=(1, 2))
    lines.submit("234", "2", part=(2, 2))
    lines.submit("code 999", "3")
    lines.receipt("3", "UNDELIV")

    told = [
        Record("m1", TO, None, "submitted", ("1", "2")),
        Record("m2", TO, None, "delivered", ("3",)),
        Record("m3", TO, None, "submitted", ("4",)),
    ]

    assert [(finding.kind, finding.id) for finding in lines.compare(*told)] == [("mis-stated", "m2"), ("lost", "m3")]


def test_a_message_that_is_told_to_have_failed_need_not_have_been_processed() -> None:
    for status in ("failed", "queued", "in_doubt", "unknown", "expired", "cancelled", "held"):
        assert Lines().compare(Record("m1", TO, "hello", status)) == []


@pytest.mark.parametrize("status", ["held", "scheduled"])
def test_a_message_that_is_told_to_wait_must_not_have_been_processed(status: str) -> None:
    lines = Lines()
    lines.submit("hello", "1")

    [finding] = lines.compare(Record("m1", TO, "hello", status))

    assert (finding.kind, finding.detail) == ("mis-stated", f"told {status}, and processed: 1 by gateway-1")


def test_a_message_whose_receipts_were_acknowledged_may_not_be_told_to_be_open() -> None:
    lines = Lines()
    lines.submit("hello", "1")
    lines.receipt("1", "DELIVRD")

    assert kinds(lines.compare(Record("m1", TO, "hello", "submitted"))) == ["mis-stated"]


def test_what_no_record_knows_is_wrong_where_the_records_are_complete() -> None:
    lines = Lines()
    lines.submit("hello", "1")
    lines.submit("moon", "2")
    ledger, records = Ledger(lines.lines), [Record("m1", TO, "hello")]

    assert ledger.compare(records) == []
    [finding] = ledger.compare(records, complete=True)
    assert finding == Finding("unrecorded", "2", TO, "part 1 of 1 was processed by gateway-1, for no record")


def test_a_journal_without_texts_is_refused() -> None:
    lines = Lines()
    lines.submit("hello", "1")
    del lines.lines[0]["text"]

    with pytest.raises(CannotRead, match="text=1"):
        lines.compare()
