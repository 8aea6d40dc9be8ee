"""Phone numbers: one spelling for each, and which network of mainland China it was given out by."""

import csv
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

MAINLAND_PREFIX: Final = "+86"  # of every number of mainland China, and of no other
MOBILE_DIGITS: Final = 11  # of a mobile number of mainland China, without its country code
MAX_SPELLING_LENGTH: Final = 64  # a number with all its spaces, signs and prefixes is shorter


class Network(StrEnum):
    """Whose subscriber a number is."""

    CMCC = "cmcc"  # 中国移动
    CUCC = "cucc"  # 中国联通
    CTCC = "ctcc"  # 中国电信
    CBN = "cbn"  # 中国广电
    SATNET = "satnet"  # 中国卫通
    UNKNOWN = "unknown"  # of mainland China, in no row of the table
    OTHER = "other"  # of another country


class Kind(StrEnum):
    """What a range of numbers is used for."""

    MOBILE = "mobile"
    MVNO = "mvno"  # a virtual operator on the network
    DATA = "data"
    IOT = "iot"
    SATELLITE = "satellite"


class Number(msgspec.Struct, frozen=True, gc=False):
    """A phone number in E.164, with its plus: `+8613800138000`. `mainland`: a mobile number of mainland China."""

    e164: str
    mainland: bool


class PlanEntry(msgspec.Struct, frozen=True):
    """What the number plan says of a number."""

    network: Network
    kind: Kind


class NumberFault(StrEnum):
    """Why a spelling is no number that a message can go to. The value says so to whoever sent it."""

    EMPTY = "it is empty"
    OVERLONG = f"it is longer than {MAX_SPELLING_LENGTH} characters"
    CHARACTERS = "it has characters other than digits, spaces, +, - and ()"
    IOT = "13-digit numbers of things (140, 141, 144) cannot be reached by short message"
    NOT_MOBILE = "it is no mobile number of mainland China, which has 11 digits and begins with 13 to 19"
    NO_COUNTRY_CODE = "it is no mobile number of mainland China, and others need + or 00 and a country code"
    NOT_E164 = "with its country code a number has 7 to 15 digits, and the first is not 0"


CHINESE_FAULTS: Final[Mapping[NumberFault, str]] = {
    NumberFault.EMPTY: "号码为空",
    NumberFault.OVERLONG: f"长度超过 {MAX_SPELLING_LENGTH} 个字符",
    NumberFault.CHARACTERS: "含有数字、空格、+、- 和 () 以外的字符",
    NumberFault.IOT: "13 位物联网号码（140、141、144）无法接收短信",
    NumberFault.NOT_MOBILE: "不是中国大陆手机号码（11 位，以 13 至 19 开头）",
    NumberFault.NO_COUNTRY_CODE: "不是中国大陆手机号码；其他号码需以 + 或 00 加国家代码开头",
    NumberFault.NOT_E164: "含国家代码的号码应为 7 至 15 位数字，且首位不为 0",
}


class InvalidNumber(ValueError):  # noqa: N818
    """A spelling that no message can go to. The spelling is not kept here: it may be somebody's number."""

    def __init__(self, reason: NumberFault) -> None:
        super().__init__(reason.value)
        self.reason = reason


class NumberPlanError(ValueError):
    """A number plan that cannot be used: line, value and rule."""


# Eleven digits, after what people and old systems write in front: a country code, the trunk 0 of long-distance calls,
# and the discount prefixes of the carriers (12520, 12593, 17951). A plus or 00 counts only with 86: +1310… is American.
_MAINLAND: Final = re.compile(r"(?:(?:\+|00)?86)?0?(?:1(?:[12][0-9]|79)[0-9]{2})?(1[3-9][0-9]{9})")
_THING: Final = re.compile(r"(?:(?:\+|00)?86)?14[014][0-9]{10}")
_INTERNATIONAL: Final = re.compile(r"(?:\+|00)([1-9][0-9]{6,14})")
_DIALLED: Final = re.compile(r"\+?[0-9]+")

_SPACES: Final = " \u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_CLEAN: Final = str.maketrans("０１２３４５６７８９＋", "0123456789+", f"-()－（）{_SPACES}")


def normalise(raw: str) -> Number:
    """Return the number that `raw` spells. Raises InvalidNumber."""
    digits = raw.removeprefix(MAINLAND_PREFIX)
    if len(digits) == MOBILE_DIGITS and digits.isdigit() and digits.isascii() and "13" <= digits[:2] <= "19":
        return Number(MAINLAND_PREFIX + digits, mainland=True)  # as most are, without a pattern in half the time
    mainland = _MAINLAND.fullmatch(raw)
    if mainland is None:
        if len(raw) > MAX_SPELLING_LENGTH:
            raise InvalidNumber(NumberFault.OVERLONG)
        dialled = raw.translate(_CLEAN)
        mainland = _MAINLAND.fullmatch(dialled)
        if mainland is None:
            return _international(dialled)
    return Number("+86" + mainland[1], mainland=True)


def _international(dialled: str) -> Number:
    """Return the foreign number that `dialled` is, in digits and plus. Raises InvalidNumber."""
    match = _INTERNATIONAL.fullmatch(dialled)
    if match is None or match[1].startswith("86"):
        raise InvalidNumber(_fault(dialled))
    return Number("+" + match[1], mainland=False)


def _fault(dialled: str) -> NumberFault:
    """Say what is wrong with `dialled`, which is neither a mainland nor a foreign number."""
    if not dialled:
        return NumberFault.EMPTY
    if not _DIALLED.fullmatch(dialled):
        return NumberFault.CHARACTERS
    if _THING.fullmatch(dialled):
        return NumberFault.IOT
    if dialled.startswith(("+86", "0086")):
        return NumberFault.NOT_MOBILE
    return NumberFault.NOT_E164 if dialled.startswith(("+", "00")) else NumberFault.NO_COUNTRY_CODE


def mask(e164: str) -> str:
    """Return a number in E.164 as logs and pages may show it: `138****5678`, `+131****1234`. Four digits or more go."""
    mainland = _MAINLAND.fullmatch(e164)
    digits = mainland[1] if mainland else e164.removeprefix("+")
    if len(digits) < 7:
        return "****"
    tail = 4 if len(digits) >= 11 else 2
    head = min(len(digits) - 4 - tail, 3 if mainland else 4)
    return f"{'' if mainland else '+'}{digits[:head]}****{digits[-tail:]}"


_UNKNOWN: Final = PlanEntry(Network.UNKNOWN, Kind.MOBILE)
_OTHER: Final = PlanEntry(Network.OTHER, Kind.MOBILE)
_COLUMNS: Final = ["prefix", "network", "kind", "note"]
_PREFIX: Final = re.compile(r"1[3-9][0-9]{1,2}")
_PLAN_NETWORKS: Final = {
    network.value: network for network in Network if network not in {Network.UNKNOWN, Network.OTHER}
}
_KINDS: Final = {kind.value: kind for kind in Kind}


class NumberPlan:
    """Which network gave out which numbers of mainland China, by their first three or four digits.

    It says who gave a number out, not who serves it now: numbers are ported.
    """

    def __init__(self, entries: Mapping[str, PlanEntry]) -> None:
        # By four digits all of them, so that one look-up is enough: a row of four wins over that of its first three.
        threes = [(prefix, entry) for prefix, entry in entries.items() if len(prefix) == 3]
        self._entries = {prefix + digit: entry for prefix, entry in threes for digit in "0123456789"}
        self._entries |= {prefix: entry for prefix, entry in entries.items() if len(prefix) == 4}

    @classmethod
    def parse(cls, csv_text: str) -> "NumberPlan":
        """Read a table with the columns prefix, network, kind and note. Raises NumberPlanError.

        A row of four digits wins over the row of its first three, so notes such as "1340 to 1348" are for the reader.
        """
        reader = csv.reader(csv_text.removeprefix("\ufeff").splitlines(), strict=True)
        entries: dict[str, PlanEntry] = {}
        try:
            if next(reader, []) != _COLUMNS:
                raise NumberPlanError(f"columns: must be {','.join(_COLUMNS)}")
            for row in filter(None, reader):
                prefix, entry = _parse_row(row)
                if prefix in entries:
                    raise NumberPlanError(f"prefix = {prefix}: must not come twice")
                entries[prefix] = entry
        except (csv.Error, NumberPlanError) as error:
            raise NumberPlanError(f"line {max(reader.line_num, 1)}: {error}") from None
        if not entries:
            raise NumberPlanError("line 2: must be the first row of the table")
        return cls(entries)

    def lookup(self, number: Number) -> PlanEntry:
        """Return the network and kind of `number`: by four digits, else three, else unknown. A foreign one is other."""
        if not number.mainland:
            return _OTHER
        return self._entries.get(number.e164[3:7], _UNKNOWN)


def _parse_row(row: list[str]) -> tuple[str, PlanEntry]:
    """Return the prefix and the entry of one row. Raises NumberPlanError, without the line."""
    if len(row) != len(_COLUMNS):
        raise NumberPlanError(f"{len(row)} columns: must be {len(_COLUMNS)}")
    prefix, network, kind, _ = row
    if not _PREFIX.fullmatch(prefix):
        raise NumberPlanError(f"prefix = {prefix}: must be three or four digits from 13 to 19")
    if network not in _PLAN_NETWORKS:
        raise NumberPlanError(f"network = {network}: must be one of {' '.join(_PLAN_NETWORKS)}")
    if kind not in _KINDS:
        raise NumberPlanError(f"kind = {kind}: must be one of {' '.join(_KINDS)}")
    return prefix, PlanEntry(_PLAN_NETWORKS[network], _KINDS[kind])
