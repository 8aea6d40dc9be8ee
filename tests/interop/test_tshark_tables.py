"""Our numbers against tshark's tables of SMPP 3.4 and 5.0: the same statuses, commands and states, none missing."""

import re
import subprocess
from functools import cache

import pytest

from gateway.smpp import CommandId, CommandStatus, MessageState, describe

pytestmark = pytest.mark.interop

VENDOR = range(0x400, 0x500)
# Of 5.0's broadcast operations, and of a Chinese vendor: a session refuses them as unknown.
NOT_OURS = {
    *(name for operation in ("broadcast_sm", "query_broadcast_sm", "cancel_broadcast_sm")
      for name in (operation, f"{operation}_resp")),
    *("auth_acc", "auth_acc_resp", "sm_result_notify", "sm_result_notify_resp"),
}  # fmt: skip


@cache
def tables() -> dict[str, dict[range, str]]:
    """Of each field of SMPP that has named values: the values, as ranges, and their names."""
    printed = subprocess.run(["tshark", "-G", "values"], check=True, capture_output=True, text=True).stdout
    found: dict[str, dict[range, str]] = {}
    for line in printed.splitlines():
        match line.split("\t"):
            case ["V", field, value, name] if field.startswith("smpp."):
                number = int(value, 0)
                found.setdefault(field, {})[range(number, number + 1)] = name
            case ["R", field, first, last, name] if field.startswith("smpp."):
                found.setdefault(field, {})[range(int(first, 0), int(last, 0) + 1)] = name
    return found


def test_the_statuses_are_those_of_the_specifications():
    named = {
        values.start: name
        for values, name in tables()["smpp.command_status"].items()
        if name != "[Reserved]" and values != VENDOR
    }
    assert set(named) == set(CommandStatus)
    assert len(named) > 60


def test_a_status_means_here_what_it_means_there():
    """Word for word the texts differ; what tells one from the others is the same."""
    idle = {"is", "invalid", "the", "of", "a", "error", "or", "not", "for", "in", "code", "from"}
    for values, name in tables()["smpp.command_status"].items():
        if name in {"[Reserved]", "Ok"} or values == VENDOR:
            continue
        ours = describe(values.start).partition(": ")[2]
        assert (_words(name) & _words(ours)) - idle, f"{values.start:#x}: {name!r} is {ours!r} here"


def test_vendors_have_the_range_that_we_say():
    assert tables()["smpp.command_status"][VENDOR] == "[Vendor-specific Error]"
    assert "vendor" in describe(VENDOR.start)
    assert "vendor" in describe(VENDOR.stop - 1)
    assert "vendor" not in describe(VENDOR.stop)


def test_the_commands_are_those_of_3_4_and_none_is_missing():
    theirs = {
        name.lower().replace(" - resp", "_resp"): values.start for values, name in tables()["smpp.command_id"].items()
    }
    assert {name: number for name, number in theirs.items() if name not in NOT_OURS} == {
        command.name.lower(): int(command) for command in CommandId
    }


def test_the_states_of_a_message_have_their_numbers():
    theirs = {name: values.start for values, name in tables()["smpp.message_state"].items()}
    of_3_4 = {state.name: int(state) for state in MessageState if state.name not in {"SCHEDULED", "SKIPPED"}}
    assert theirs == of_3_4


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))
