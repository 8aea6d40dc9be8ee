"""A scenario: how the simulator behaves, and can be told to while it runs. config/simulator.toml has the reasons."""

from enum import Enum
from itertools import pairwise
from typing import Annotated, Any

import msgspec

from simulator.checking import BrokenRule, SettingError, settings_from
from simulator.distributions import Delay, Seconds, Uniform
from simulator.outcomes import Chances, Share
from simulator.rules import Rule
from simulator.tables import Count, Interval, PerSecond, Positive, Table, check_number, check_status, check_text


class ReceiptForm(Enum):
    """Where a receipt says what it says."""

    TEXT = "text"
    TLV = "tlv"
    BOTH = "both"


class IdForm(Enum):
    """How a message id is written."""

    DECIMAL = "decimal"
    HEX = "hex"


class Action(Enum):
    """What happens once, when a phase begins."""

    NOTHING = ""
    RESET = "reset"
    UNBIND = "unbind"
    RESTART = "restart"
    RESTART_FORGETFULLY = "restart-without-memory"


class Receipts(Table, frozen=True):
    """`[receipts]`: when they come, what they look like, and how often they come again."""

    delay_seconds: Delay = Uniform(0.05, 0.8)
    late_seconds: Delay = 259_200.0
    reorder_seconds: Interval = 1.0
    form: ReceiptForm = ReceiptForm.BOTH
    id_in_response: IdForm = IdForm.DECIMAL
    id_in_receipt: IdForm = IdForm.DECIMAL
    echo_reference: bool = True
    retry_seconds: Interval = 5.0
    retries: Count = 1000


class Response(Table, frozen=True):
    """`[response]`: how long a submit_sm waits for its answer."""

    latency_seconds: Delay = 0.0


class Rate(Table, frozen=True):
    """`[rate]`: how much an account may send; 0 is no limit."""

    segments_per_second: PerSecond = 0.0
    burst_seconds: Interval = 1.0
    refuse_with: str = "ESME_RTHROTTLED"

    def __post_init__(self) -> None:
        check_status("refuse_with", self.refuse_with)


class Point(Table, frozen=True):
    """A point of a capacity curve: at so many submits a second answers take so long, and so many are refused."""

    segments_per_second: PerSecond
    latency_seconds: Seconds = 0.0
    refused: Share = 0.0


class Capacity(Table, frozen=True):
    """`[capacity]`: what load does to an SMSC, by points in between which it is a straight line."""

    curve: Annotated[tuple[Point, ...], msgspec.Meta(max_length=100)] = ()
    refuse_with: str = "ESME_RTHROTTLED"

    def __post_init__(self) -> None:
        check_status("refuse_with", self.refuse_with)
        rates = [point.segments_per_second for point in self.curve]
        if any(later <= earlier for earlier, later in pairwise(rates)):
            raise BrokenRule("curve", "must have points with ever higher segments_per_second")


class Queue(Table, frozen=True):
    """`[queue]`: messages that wait in the SMSC for their turn; `drain_per_second` 0 lets none wait."""

    segments: Positive = 1000
    drain_per_second: PerSecond = 0.0
    refuse_with: str = "ESME_RMSGQFUL"

    def __post_init__(self) -> None:
        check_status("refuse_with", self.refuse_with)


class Binds(Table, frozen=True):
    """`[binds]`: what a bind meets."""

    refuse_with: str = ""
    refused: Share = 1.0

    def __post_init__(self) -> None:
        if self.refuse_with:
            check_status("refuse_with", self.refuse_with)


class Wire(Table, frozen=True):
    """`[wire]`: how octets go over every connection."""

    write_octets: Annotated[int, msgspec.Meta(ge=0, le=65_536)] = 0
    write_pause_seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    read_octets_per_second: Count = 0
    silent: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether everything goes as an honest peer's does."""
        return not (self.write_octets or self.read_octets_per_second or self.silent)


Texts = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=5000)], ...], msgspec.Meta(min_length=1, max_length=100)]


class Inbound(Table, frozen=True):
    """`[inbound]`: messages of subscribers, of their own accord and in reply to what was sent."""

    messages_per_second: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 0.0
    sources: Annotated[str, msgspec.Meta(min_length=1, max_length=16)] = "861390000"
    to: str = "10690001"
    texts: Texts = ("hello",)
    reply_share: Share = 0.0
    reply_texts: Texts = ("TD",)
    reply_delay_seconds: Delay = 1.0

    def __post_init__(self) -> None:
        if not self.sources.isdecimal():
            raise BrokenRule("sources", "must be the first digits of a number")
        check_number("to", self.to)
        for text in self.texts:
            check_text("texts", text)
        for text in self.reply_texts:
            check_text("reply_texts", text)


class Overlay(Table, frozen=True):
    """Tables of a scenario that stand in place of another one's; what they leave out is as there."""

    receipts: dict[str, Any] | None = None
    response: dict[str, Any] | None = None
    rate: dict[str, Any] | None = None
    capacity: dict[str, Any] | None = None
    queue: dict[str, Any] | None = None
    binds: dict[str, Any] | None = None
    wire: dict[str, Any] | None = None
    inbound: dict[str, Any] | None = None
    outcomes: dict[str, Any] | None = None
    rule: list[Any] | None = None

    @property
    def tables(self) -> dict[str, Any]:
        """What it has, as a document."""
        fields = ((name, getattr(self, name)) for name in Overlay.__struct_fields__)
        return {name: value for name, value in fields if value is not None}


class Phase(Overlay, frozen=True, kw_only=True):
    """`[[timeline.phase]]`: how the SMSC behaves for `seconds`, and what it does when that begins.

    `down_seconds` is how long a restart lets nobody in; with `reuse_ids` one without memory gives the same message ids
    again.
    """

    seconds: Interval
    name: Annotated[str, msgspec.Meta(max_length=60)] = ""
    do: Action = Action.NOTHING
    down_seconds: Seconds = 1.0
    reuse_ids: bool = False


class Timeline(Table, frozen=True):
    """`[timeline]`: phases one after the other, and once more from the first with `repeat`."""

    repeat: bool = False
    phase: Annotated[tuple[Phase, ...], msgspec.Meta(max_length=1000)] = ()


class Scenario(Table, frozen=True):
    """How the simulator behaves: what can be changed while it runs."""

    receipts: Receipts = Receipts()
    response: Response = Response()
    rate: Rate = Rate()
    capacity: Capacity = Capacity()
    queue: Queue = Queue()
    binds: Binds = Binds()
    wire: Wire = Wire()
    inbound: Inbound = Inbound()
    outcomes: Chances = Chances()
    rule: Annotated[tuple[Rule, ...], msgspec.Meta(max_length=1000)] = ()
    timeline: Timeline = Timeline()


def read_scenario(document: object, start: Scenario) -> Scenario:
    """Return `start` with what `document` sets in place of it. Raises SettingError.

    What the document leaves out is as `start` has it, so the same document always gives the same scenario.
    """
    if not isinstance(document, dict):
        raise SettingError("the document", "must be a table")
    tables = _document_of(start)
    for name, table in document.items():
        known = tables.get(name)
        tables[name] = known | table if isinstance(known, dict) and isinstance(table, dict) else table
    scenario = settings_from(tables, Scenario)
    check_phases(scenario)
    return scenario


def check_phases(scenario: Scenario) -> None:
    """Raise SettingError unless each phase of the timeline makes a scenario."""
    for number in range(len(scenario.timeline.phase)):
        in_phase(scenario, number)


def in_phase(scenario: Scenario, number: int) -> Scenario:
    """Return how a scenario is in one phase of its timeline, counted from 0. Raises SettingError."""
    return overlaid(scenario, scenario.timeline.phase[number], f"timeline.phase[{number + 1}]")


def overlaid(scenario: Scenario, overlay: Overlay, name: str) -> Scenario:
    """Return a scenario with an overlay on it. Raises SettingError, whose setting begins with `name`."""
    document = overlay.tables
    if not document:
        return scenario
    try:
        return read_scenario(document, msgspec.structs.replace(scenario, timeline=Timeline()))
    except SettingError as error:
        raise error.within(name) from error


def _document_of(scenario: Scenario) -> dict[str, Any]:
    return {name: msgspec.to_builtins(getattr(scenario, name)) for name in Scenario.__struct_fields__}
