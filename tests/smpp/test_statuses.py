"""Every command_status has a meaning and a class."""

import pytest

from gateway.smpp import CommandStatus, StatusClass, classify, describe
from gateway.smpp.statuses import _DESCRIPTIONS


def test_every_status_is_described():
    assert set(_DESCRIPTIONS) == set(CommandStatus)
    for status in CommandStatus:
        assert describe(status).startswith(f"{status.name} (0x{status:02X}): ")


CLASSES = {
    StatusClass.OK: {CommandStatus.ESME_ROK},
    StatusClass.RETRY: {
        CommandStatus.ESME_RSYSERR,
        CommandStatus.ESME_RX_T_APPN,
        CommandStatus.ESME_RQUERYFAIL,
        CommandStatus.ESME_RSERTYPUNAVAIL,
    },
    StatusClass.THROTTLE: {CommandStatus.ESME_RMSGQFUL, CommandStatus.ESME_RTHROTTLED},
    StatusClass.CLOSE: {
        CommandStatus.ESME_RINVBNDSTS,
        CommandStatus.ESME_RALYBND,
        CommandStatus.ESME_RBINDFAIL,
        CommandStatus.ESME_RINVPASWD,
        CommandStatus.ESME_RINVSYSID,
        CommandStatus.ESME_RINVSYSTYP,
    },
}


@pytest.mark.parametrize("status", CommandStatus, ids=lambda status: status.name)
def test_a_status_is_classed_by_what_to_do_about_it(status: CommandStatus):
    expected = next((kind for kind, statuses in CLASSES.items() if status in statuses), StatusClass.PERMANENT)
    assert classify(status) is expected


def test_the_names_that_5_0_gives_to_older_statuses_are_known():
    assert [
        CommandStatus.ESME_RINVTLVSTREAM,
        CommandStatus.ESME_RTLVNOTALLWD,
        CommandStatus.ESME_RINVTLVLEN,
        CommandStatus.ESME_RMISSINGTLV,
        CommandStatus.ESME_RINVTLVVAL,
    ] == [0xC0, 0xC1, 0xC2, 0xC3, 0xC4]


def test_a_status_that_nobody_named_is_permanent_and_still_described():
    assert classify(0x4A5) is StatusClass.PERMANENT
    assert describe(0x4A5) == "0x4A5: vendor-specific error"
    assert describe(0x12345) == "0x12345: unknown status"


def test_a_status_is_described_for_a_person():
    assert describe(0x58) == "ESME_RTHROTTLED (0x58): throttled: allowed message limit exceeded"
