"""Every command_status has a meaning and a class."""

import pytest

from gateway.smpp import CommandStatus, StatusClass, classify, describe
from gateway.smpp.statuses import _DESCRIPTIONS


def test_every_status_is_described():
    assert set(_DESCRIPTIONS) == set(CommandStatus)
    for status in CommandStatus:
        assert describe(status).startswith(f"{status.name} (0x{status:02X}): ")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x00, StatusClass.OK),
        (0x08, StatusClass.RETRY),
        (0x64, StatusClass.RETRY),
        (0x14, StatusClass.THROTTLE),
        (0x58, StatusClass.THROTTLE),
        (0x0B, StatusClass.PERMANENT),
        (0x45, StatusClass.PERMANENT),
        (0x65, StatusClass.PERMANENT),
        (0x04, StatusClass.CLOSE),
        (0x0E, StatusClass.CLOSE),
        (0x101, StatusClass.PERMANENT),
    ],
)
def test_a_status_is_classed_by_what_to_do_about_it(status: int, expected: StatusClass):
    assert classify(status) is expected


def test_a_status_that_nobody_named_is_permanent_and_still_described():
    assert classify(0x4A5) is StatusClass.PERMANENT
    assert describe(0x4A5) == "0x4A5: vendor-specific error"
    assert describe(0x12345) == "0x12345: unknown status"


def test_a_status_is_described_for_a_person():
    assert describe(0x58) == "ESME_RTHROTTLED (0x58): throttled: allowed message limit exceeded"
