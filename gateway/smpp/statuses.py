"""Every command_status of SMPP 3.4 (section 5.1.3) and 5.0 (section 4.7.6): name, meaning, and what to do about it."""

from enum import Enum, IntEnum
from typing import Final


class CommandStatus(IntEnum):
    """How a request fared. A status that is not here stays a plain `int`; 0x400 to 0x4FF are the vendor's own."""

    ESME_ROK = 0x000
    ESME_RINVMSGLEN = 0x001
    ESME_RINVCMDLEN = 0x002
    ESME_RINVCMDID = 0x003
    ESME_RINVBNDSTS = 0x004
    ESME_RALYBND = 0x005
    ESME_RINVPRTFLG = 0x006
    ESME_RINVREGDLVFLG = 0x007
    ESME_RSYSERR = 0x008
    ESME_RINVSRCADR = 0x00A
    ESME_RINVDSTADR = 0x00B
    ESME_RINVMSGID = 0x00C
    ESME_RBINDFAIL = 0x00D
    ESME_RINVPASWD = 0x00E
    ESME_RINVSYSID = 0x00F
    ESME_RCANCELFAIL = 0x011
    ESME_RREPLACEFAIL = 0x013
    ESME_RMSGQFUL = 0x014
    ESME_RINVSERTYP = 0x015
    ESME_RINVNUMDESTS = 0x033
    ESME_RINVDLNAME = 0x034
    ESME_RINVDESTFLAG = 0x040
    ESME_RINVSUBREP = 0x042
    ESME_RINVESMCLASS = 0x043
    ESME_RCNTSUBDL = 0x044
    ESME_RSUBMITFAIL = 0x045
    ESME_RINVSRCTON = 0x048
    ESME_RINVSRCNPI = 0x049
    ESME_RINVDSTTON = 0x050
    ESME_RINVDSTNPI = 0x051
    ESME_RINVSYSTYP = 0x053
    ESME_RINVREPFLAG = 0x054
    ESME_RINVNUMMSGS = 0x055
    ESME_RTHROTTLED = 0x058
    ESME_RINVSCHED = 0x061
    ESME_RINVEXPIRY = 0x062
    ESME_RINVDFTMSGID = 0x063
    ESME_RX_T_APPN = 0x064
    ESME_RX_P_APPN = 0x065
    ESME_RX_R_APPN = 0x066
    ESME_RQUERYFAIL = 0x067
    ESME_RINVOPTPARSTREAM = 0x0C0
    ESME_ROPTPARNOTALLWD = 0x0C1
    ESME_RINVPARLEN = 0x0C2
    ESME_RMISSINGOPTPARAM = 0x0C3
    ESME_RINVOPTPARAMVAL = 0x0C4
    ESME_RDELIVERYFAILURE = 0x0FE
    ESME_RUNKNOWNERR = 0x0FF
    # From here on: SMPP 5.0, section 4.7.6.
    ESME_RSERTYPUNAUTH = 0x100
    ESME_RPROHIBITED = 0x101
    ESME_RSERTYPUNAVAIL = 0x102
    ESME_RSERTYPDENIED = 0x103
    ESME_RINVDCS = 0x104
    ESME_RINVSRCADDRSUBUNIT = 0x105
    ESME_RINVDSTADDRSUBUNIT = 0x106
    ESME_RINVBCASTFREQINT = 0x107
    ESME_RINVBCASTALIAS_NAME = 0x108
    ESME_RINVBCASTAREAFMT = 0x109
    ESME_RINVNUMBCAST_AREAS = 0x10A
    ESME_RINVBCASTCNTTYPE = 0x10B
    ESME_RINVBCASTMSGCLASS = 0x10C
    ESME_RBCASTFAIL = 0x10D
    ESME_RBCASTQUERYFAIL = 0x10E
    ESME_RBCASTCANCELFAIL = 0x10F
    ESME_RINVBCAST_REP = 0x110
    ESME_RINVBCASTSRVGRP = 0x111
    ESME_RINVBCASTCHANIND = 0x112
    # What 5.0 calls some of those above.
    ESME_RINVTLVSTREAM = ESME_RINVOPTPARSTREAM
    ESME_RTLVNOTALLWD = ESME_ROPTPARNOTALLWD
    ESME_RINVTLVLEN = ESME_RINVPARLEN
    ESME_RMISSINGTLV = ESME_RMISSINGOPTPARAM
    ESME_RINVTLVVAL = ESME_RINVOPTPARAMVAL


class StatusClass(Enum):
    """What the sender of a request does about its answer."""

    OK = "ok"
    RETRY = "retry"  # the peer could not just now: the same request may pass later
    THROTTLE = "throttle"  # we are too fast, or its queue is full: slow down, then send it again
    PERMANENT = "permanent"  # the request is wrong, or refused for good: sending it again changes nothing
    CLOSE = "close"  # the session itself is wrong: close it and bind again


_CLASSES: Final[dict[int, StatusClass]] = {
    CommandStatus.ESME_ROK: StatusClass.OK,
    CommandStatus.ESME_RMSGQFUL: StatusClass.THROTTLE,
    CommandStatus.ESME_RTHROTTLED: StatusClass.THROTTLE,
    CommandStatus.ESME_RSYSERR: StatusClass.RETRY,
    CommandStatus.ESME_RX_T_APPN: StatusClass.RETRY,
    CommandStatus.ESME_RQUERYFAIL: StatusClass.RETRY,
    CommandStatus.ESME_RSERTYPUNAVAIL: StatusClass.RETRY,
    CommandStatus.ESME_RINVBNDSTS: StatusClass.CLOSE,
    CommandStatus.ESME_RALYBND: StatusClass.CLOSE,
    CommandStatus.ESME_RBINDFAIL: StatusClass.CLOSE,
    CommandStatus.ESME_RINVPASWD: StatusClass.CLOSE,
    CommandStatus.ESME_RINVSYSID: StatusClass.CLOSE,
    CommandStatus.ESME_RINVSYSTYP: StatusClass.CLOSE,
}

_DESCRIPTIONS: Final[dict[int, str]] = {
    CommandStatus.ESME_ROK: "no error",
    CommandStatus.ESME_RINVMSGLEN: "message length is invalid",
    CommandStatus.ESME_RINVCMDLEN: "command length is invalid",
    CommandStatus.ESME_RINVCMDID: "command id is invalid",
    CommandStatus.ESME_RINVBNDSTS: "incorrect bind status for this command",
    CommandStatus.ESME_RALYBND: "already bound",
    CommandStatus.ESME_RINVPRTFLG: "priority flag is invalid",
    CommandStatus.ESME_RINVREGDLVFLG: "registered delivery flag is invalid",
    CommandStatus.ESME_RSYSERR: "system error",
    CommandStatus.ESME_RINVSRCADR: "source address is invalid",
    CommandStatus.ESME_RINVDSTADR: "destination address is invalid",
    CommandStatus.ESME_RINVMSGID: "message id is invalid",
    CommandStatus.ESME_RBINDFAIL: "bind failed",
    CommandStatus.ESME_RINVPASWD: "password is invalid",
    CommandStatus.ESME_RINVSYSID: "system id is invalid",
    CommandStatus.ESME_RCANCELFAIL: "cancel_sm failed",
    CommandStatus.ESME_RREPLACEFAIL: "replace_sm failed",
    CommandStatus.ESME_RMSGQFUL: "message queue is full",
    CommandStatus.ESME_RINVSERTYP: "service type is invalid",
    CommandStatus.ESME_RINVNUMDESTS: "number of destinations is invalid",
    CommandStatus.ESME_RINVDLNAME: "distribution list name is invalid",
    CommandStatus.ESME_RINVDESTFLAG: "destination flag is invalid",
    CommandStatus.ESME_RINVSUBREP: "submit with replace is invalid",
    CommandStatus.ESME_RINVESMCLASS: "esm_class is invalid",
    CommandStatus.ESME_RCNTSUBDL: "cannot submit to the distribution list",
    CommandStatus.ESME_RSUBMITFAIL: "submit_sm or submit_multi failed",
    CommandStatus.ESME_RINVSRCTON: "source address TON is invalid",
    CommandStatus.ESME_RINVSRCNPI: "source address NPI is invalid",
    CommandStatus.ESME_RINVDSTTON: "destination address TON is invalid",
    CommandStatus.ESME_RINVDSTNPI: "destination address NPI is invalid",
    CommandStatus.ESME_RINVSYSTYP: "system type is invalid",
    CommandStatus.ESME_RINVREPFLAG: "replace_if_present flag is invalid",
    CommandStatus.ESME_RINVNUMMSGS: "number of messages is invalid",
    CommandStatus.ESME_RTHROTTLED: "throttled: allowed message limit exceeded",
    CommandStatus.ESME_RINVSCHED: "scheduled delivery time is invalid",
    CommandStatus.ESME_RINVEXPIRY: "validity period is invalid",
    CommandStatus.ESME_RINVDFTMSGID: "predefined message is invalid or not found",
    CommandStatus.ESME_RX_T_APPN: "receiver: temporary application error",
    CommandStatus.ESME_RX_P_APPN: "receiver: permanent application error",
    CommandStatus.ESME_RX_R_APPN: "receiver: message rejected",
    CommandStatus.ESME_RQUERYFAIL: "query_sm failed",
    CommandStatus.ESME_RINVOPTPARSTREAM: "error in the optional part of the PDU",
    CommandStatus.ESME_ROPTPARNOTALLWD: "optional parameter is not allowed",
    CommandStatus.ESME_RINVPARLEN: "parameter length is invalid",
    CommandStatus.ESME_RMISSINGOPTPARAM: "expected optional parameter is missing",
    CommandStatus.ESME_RINVOPTPARAMVAL: "optional parameter value is invalid",
    CommandStatus.ESME_RDELIVERYFAILURE: "delivery failure",
    CommandStatus.ESME_RUNKNOWNERR: "unknown error",
    CommandStatus.ESME_RSERTYPUNAUTH: "not authorised to use this service type",
    CommandStatus.ESME_RPROHIBITED: "prohibited from this operation",
    CommandStatus.ESME_RSERTYPUNAVAIL: "service type is unavailable",
    CommandStatus.ESME_RSERTYPDENIED: "service type is denied",
    CommandStatus.ESME_RINVDCS: "data coding scheme is invalid",
    CommandStatus.ESME_RINVSRCADDRSUBUNIT: "source address subunit is invalid",
    CommandStatus.ESME_RINVDSTADDRSUBUNIT: "destination address subunit is invalid",
    CommandStatus.ESME_RINVBCASTFREQINT: "broadcast frequency interval is invalid",
    CommandStatus.ESME_RINVBCASTALIAS_NAME: "broadcast alias name is invalid",
    CommandStatus.ESME_RINVBCASTAREAFMT: "broadcast area format is invalid",
    CommandStatus.ESME_RINVNUMBCAST_AREAS: "number of broadcast areas is invalid",
    CommandStatus.ESME_RINVBCASTCNTTYPE: "broadcast content type is invalid",
    CommandStatus.ESME_RINVBCASTMSGCLASS: "broadcast message class is invalid",
    CommandStatus.ESME_RBCASTFAIL: "broadcast_sm failed",
    CommandStatus.ESME_RBCASTQUERYFAIL: "query_broadcast_sm failed",
    CommandStatus.ESME_RBCASTCANCELFAIL: "cancel_broadcast_sm failed",
    CommandStatus.ESME_RINVBCAST_REP: "number of repeated broadcasts is invalid",
    CommandStatus.ESME_RINVBCASTSRVGRP: "broadcast service group is invalid",
    CommandStatus.ESME_RINVBCASTCHANIND: "broadcast channel indicator is invalid",
}

_KNOWN: Final[dict[int, CommandStatus]] = {int(status): status for status in CommandStatus}


def name_status(value: int) -> int:
    """The `CommandStatus` of `value`, or `value` itself where it has no name."""
    return _KNOWN.get(value, value)


def classify(status: int) -> StatusClass:
    """What to do about `status`. One that nobody has named is permanent: it cannot be known to pass later."""
    return _CLASSES.get(status, StatusClass.PERMANENT)


def describe(status: int) -> str:
    """`status` for a person: name, number and meaning, such as `ESME_RTHROTTLED (0x58): throttled: ...`."""
    known = _KNOWN.get(status)
    if known is not None:
        return f"{known.name} (0x{status:02X}): {_DESCRIPTIONS[known]}"
    if 0x400 <= status <= 0x4FF:
        return f"0x{status:X}: vendor-specific error"
    return f"0x{status:X}: unknown status"
