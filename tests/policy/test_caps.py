"""Frequency caps: never one too many, never one too few, and nothing left behind by what was refused."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.account import Account
from gateway.message import Category, Message, MessageId, Milliseconds
from gateway.numbers import normalise
from gateway.policy.cap_settings import DEFAULT_CAPS, Cap, CapKey, CapKind, effective_caps
from gateway.policy.caps import SECRET_BYTES, CapsStage, Tags
from gateway.policy.charges import CATEGORY_CODES, Charges, unpack
from gateway.policy.verdict import Refusal
from tests.policy.samples import a_candidate

START = 1_800_000_000_000
SECRET = bytes(range(SECRET_BYTES))
NUMBER = (CapKey.NUMBER,)
SHANGHAI = ZoneInfo("Asia/Shanghai")


class Rig:
    """A stage, and the clocks it goes by."""

    def __init__(self, *caps: Cap, **options: Any) -> None:
        self.at: Milliseconds = START  # the gateway's clock
        self.wall: Milliseconds = START
        self.last = 0
        self.late: list[MessageId] = []
        tags = Tags(SECRET)
        self.stage = CapsStage(
            caps,
            Charges(salt=tags.salt, shards=7),
            tags,
            clock=lambda: self.at,
            on_late_change=lambda charge: self.late.append(charge.message_id),
            **options,
        )

    def pass_seconds(self, seconds: float) -> None:
        self.at += round(seconds * 1_000)
        self.wall += round(seconds * 1_000)

    def submit(self, **fields: Any) -> Message | Refusal:
        """Decide and, if it passes, charge."""
        account = Account(name=fields.pop("account", "demo"))
        signature = fields.pop("signature", "阳光物业")
        waited = fields.pop("waited", False)
        candidate = a_candidate(account, **fields)
        candidate.signature = signature
        candidate.waited = waited
        refusal = self.stage.decide(candidate, now=self.wall / 1_000)
        if refusal is not None:
            return refusal
        self.last += 1
        candidate.id = MessageId(self.last)
        self.stage.commit(candidate, now=self.wall / 1_000)
        return Message(
            id=candidate.id,
            account=account.name,
            to=candidate.to,
            text=candidate.text,
            category=candidate.draft.category,
            signature=signature,
            accepted_at=self.wall,
            expires_at=self.wall,
        )

    def passes(self, **fields: Any) -> bool:
        return isinstance(self.submit(**fields), Message)

    def take_back(self, message: Message) -> None:
        self.stage.take_back(message, charged_at=self.at, now=self.wall / 1_000)


def refused(decision: Message | Refusal) -> tuple[str, datetime]:
    """The rule, and when to try again."""
    assert isinstance(decision, Refusal), decision
    return decision.data["rule"], datetime.fromisoformat(decision.data["retry_at"])


def moment(milliseconds: Milliseconds) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1_000, UTC)


# --- one rule ---------------------------------------------------------------------------------------------------------


def test_a_rolling_window_opens_to_the_millisecond_and_says_when():
    rig = Rig(Cap(name="one", key=NUMBER, limit=2, window_seconds=60))
    rig.wall += 123  # the wall clock shows something else
    assert rig.passes()
    rig.pass_seconds(10)
    assert rig.passes()
    name, retry_at = refused(rig.submit())
    assert (name, retry_at) == ("one", moment(START + 123 + 60_000))
    rig.pass_seconds(49.999)
    assert refused(rig.submit())[1] == retry_at
    rig.pass_seconds(0.001)
    assert moment(rig.wall) == retry_at
    assert rig.passes()
    assert not rig.passes()


def test_a_refused_message_is_not_charged_by_any_rule():
    rig = Rig(
        Cap(name="wide", key=NUMBER, limit=2, window_seconds=1_000),
        Cap(name="narrow", key=NUMBER, limit=1, window_seconds=10),
    )
    assert rig.passes()
    for _ in range(50):
        assert refused(rig.submit())[0] == "narrow"
    rig.pass_seconds(10)
    assert rig.passes()
    assert len(rig.stage.charges) == 2


def test_of_several_full_rules_the_one_that_opens_last_is_named():
    rig = Rig(
        Cap(name="long", key=NUMBER, limit=1, window_seconds=1_000),
        Cap(name="short", key=NUMBER, limit=1, window_seconds=10),
        Cap(name="surge", key=(CapKey.SIGNATURE,), limit=1, window_seconds=500),
    )
    assert rig.passes()
    assert refused(rig.submit()) == ("long", moment(START + 1_000_000))
    assert refused(rig.submit(to="13900139000"))[0] == "surge"


@pytest.mark.parametrize("key", [(key,) for key in CapKey] + [(CapKey.NUMBER, CapKey.CONTENT), tuple(CapKey)])
@pytest.mark.parametrize("kind", CapKind)
def test_only_messages_that_agree_in_the_key_count_together(key: tuple[CapKey, ...], kind: CapKind):
    rig = Rig(Cap(name="one", key=key, limit=1, kind=kind))
    assert rig.passes()
    assert not rig.passes()
    others = {
        CapKey.NUMBER: {"to": "13900139000"},
        CapKey.SIGNATURE: {"signature": "花园小区"},
        CapKey.ACCOUNT: {"account": "other"},
        CapKey.CONTENT: {"text": "【阳光物业】别的"},
    }
    for field, change in others.items():
        assert isinstance(rig.submit(**change), Message) is (field in key), field


def test_a_rule_counts_its_category_only():
    rig = Rig(Cap(name="otp", category=Category.OTP, key=NUMBER, limit=1))
    assert rig.passes(category=Category.OTP)
    assert not rig.passes(category=Category.OTP)
    assert rig.passes(category=Category.MARKETING)
    assert len(rig.stage.charges) == 1, "nothing is kept of what no rule counts"


@pytest.mark.parametrize("spelling", ["138 0013 8000", "+86-138-0013-8000", "008613800138000"])
def test_a_number_on_the_white_list_is_neither_held_back_nor_counted(spelling: str):
    rig = Rig(
        Cap(name="one", key=NUMBER, limit=1),
        Cap(name="surge", key=(CapKey.SIGNATURE,), limit=1),
        white_list=[normalise(spelling).e164],
    )
    assert all(rig.passes() for _ in range(10))
    assert len(rig.stage.charges) == 0
    assert rig.passes(to="13900139000")
    assert not rig.passes(to="13900139000")


# --- windows of the wall clock ----------------------------------------------------------------------------------------


def test_a_clock_window_begins_and_ends_when_the_clocks_of_its_zone_say():
    rig = Rig(Cap(name="half", key=NUMBER, limit=1, window_seconds=1_800, kind=CapKind.CLOCK, time_zone="Asia/Kolkata"))
    rig.wall = round(datetime(2026, 7, 1, 9, 29, 59, tzinfo=ZoneInfo("Asia/Kolkata")).timestamp() * 1_000)
    assert rig.passes()
    assert refused(rig.submit())[1] == datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
    rig.pass_seconds(1)
    assert rig.passes()
    assert not rig.passes()


def test_a_calendar_day_ends_at_midnight_of_its_zone():
    rig = Rig(Cap(name="day", key=NUMBER, limit=1, kind=CapKind.CALENDAR_DAY))
    rig.wall = round(datetime(2026, 7, 1, 23, 59, 59, tzinfo=SHANGHAI).timestamp() * 1_000)
    assert rig.passes()
    assert refused(rig.submit())[1] == datetime(2026, 7, 2, tzinfo=SHANGHAI)
    rig.pass_seconds(1)
    assert rig.passes()


def test_a_window_that_was_left_does_not_open_again_when_the_clock_is_put_back():
    rig = Rig(Cap(name="day", key=NUMBER, limit=1, kind=CapKind.CALENDAR_DAY))
    rig.wall = round(datetime(2026, 7, 1, 12, tzinfo=SHANGHAI).timestamp() * 1_000)
    assert rig.passes()
    rig.wall += 86_400_000
    assert rig.passes()
    rig.wall -= 2 * 86_400_000
    assert not rig.passes()


@pytest.mark.parametrize("step_seconds", [-7 * 86_400, -1, 1, 7 * 86_400])
def test_a_step_of_the_wall_clock_is_nothing_to_a_rolling_window(step_seconds: int):
    rig = Rig(Cap(name="day", key=NUMBER, limit=1))
    assert rig.passes()
    rig.wall += step_seconds * 1_000
    rig.pass_seconds(86_399)
    name, retry_at = refused(rig.submit())
    assert (name, retry_at) == ("day", moment(rig.wall + 1_000))
    rig.pass_seconds(1)
    assert rig.passes()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Havana", "Asia/Shanghai", "Australia/Lord_Howe"])
@pytest.mark.parametrize("kind", [CapKind.CLOCK, CapKind.CALENDAR_DAY])
def test_through_a_year_of_summer_times_no_moment_lies_outside_its_window(zone: str, kind: CapKind):
    from gateway.policy.cap_rules import Windows

    windows = Windows(Cap(name="w", limit=1, kind=kind, time_zone=zone, window_seconds=86_400))
    at = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    last_end = 0
    for wall in range(at, at + 366 * 86_400, 977):
        windows.enter(wall)
        assert windows.start <= wall < windows.end
        assert windows.end - windows.start <= 25 * 3_600
        assert windows.end >= last_end
        last_end = windows.end


# --- giving back ------------------------------------------------------------------------------------------------------


def test_what_is_taken_back_may_be_sent_again_and_takes_nothing_else_along():
    rig = Rig(
        Cap(name="two", key=NUMBER, limit=2),
        Cap(name="surge", key=(CapKey.SIGNATURE,), limit=2),
    )
    first, second = rig.submit(), rig.submit()
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert not rig.passes()
    rig.take_back(first)
    rig.take_back(first)  # again, which is nothing
    assert rig.passes()
    assert not rig.passes()
    rig.take_back(second)
    assert rig.passes()


def test_changes_to_messages_on_disk_are_announced_and_others_are_not():
    rig = Rig(Cap(name="two", key=NUMBER, limit=2))
    rig.submit()
    assert rig.late == []
    released = rig.submit(waited=True)
    assert isinstance(released, Message)
    assert rig.late == [released.id]
    rig.take_back(released)
    assert rig.late == [released.id] * 2


# --- limits and the profile -------------------------------------------------------------------------------------------


def test_what_cannot_be_counted_is_not_sent():
    rig = Rig(Cap(name="one", key=NUMBER, limit=1, window_seconds=60), max_charges=3)
    assert [rig.passes(to=f"1380013800{n}") for n in range(4)] == [True] * 3 + [False]
    assert refused(rig.submit(to="13800138009")) == ("charges", moment(START + 60_000))
    rig.pass_seconds(60)
    rig.stage.sweep(0)
    assert len(rig.stage.charges) == 0
    assert rig.passes(to="13800138009")


def test_a_sweep_frees_what_no_rule_needs_and_changes_no_answer():
    rig = Rig(
        Cap(name="short", category=Category.OTP, key=NUMBER, limit=1, window_seconds=10),
        Cap(name="long", category=Category.OTP, key=NUMBER, limit=3, window_seconds=100),
        Cap(name="surge", category=Category.OTP, key=(CapKey.SIGNATURE,), limit=100, window_seconds=10),
    )
    for _ in range(3):
        assert rig.passes(category=Category.OTP)
        rig.pass_seconds(10)
    rig.stage.sweep(0)
    assert len(rig.stage.charges) == 3
    assert refused(rig.submit(category=Category.OTP)) == ("long", moment(START + 100_000))
    rig.pass_seconds(200)
    for _ in range(2):
        rig.stage.sweep(0)
    assert len(rig.stage.charges) == 0
    assert len(rig.stage._all_tallies[0]) == 0


def test_the_profile_is_replaced_by_name_and_taken_away_with_zero():
    written = [Cap(name="otp-day", category=Category.OTP, limit=3), Cap(name="same-content", limit=0)]
    caps = {cap.name: cap for cap in effective_caps([*written, Cap(name="own", limit=5)])}
    assert caps.keys() == {cap.name for cap in DEFAULT_CAPS} - {"same-content"} | {"own"}
    assert caps["otp-day"] == written[0]


def test_under_the_profile_a_resend_button_of_a_minute_wins_and_the_sixth_code_of_an_hour_does_not():
    rig = Rig(*DEFAULT_CAPS)
    for n in range(5):
        assert rig.passes(category=Category.OTP, text=f"【阳光物业】您的验证码是{n}。")
        assert refused(rig.submit(category=Category.OTP, text=f"【阳光物业】您的验证码是{n}{n}。"))[0] in {
            "otp-minute",
            "otp-hour",
        }
        rig.pass_seconds(59)
    assert refused(rig.submit(category=Category.OTP, text="【阳光物业】您的验证码是7。")) == (
        "otp-hour",
        moment(START + 3_600_000),
    )
    assert rig.passes(category=Category.OTP, signature="花园小区", text="【花园小区】您的验证码是7。")


def test_under_the_profile_the_same_text_goes_once_in_half_a_minute():
    rig = Rig(*DEFAULT_CAPS)
    assert rig.passes()
    assert refused(rig.submit())[0] == "same-content"
    assert rig.passes(text="【阳光物业】别的")
    rig.pass_seconds(30)
    assert rig.passes()


def test_a_secret_decides_the_tags_and_names_are_not_to_be_read_from_them():
    assert Tags(SECRET).content("水") == Tags(SECRET).content("水") != Tags(SECRET[::-1]).content("水")
    assert Tags(SECRET).name("水") != Tags(SECRET[::-1]).name("水")


# --- against a model --------------------------------------------------------------------------------------------------

MODEL_CAPS = (
    Cap(name="n2", key=NUMBER, limit=2, window_seconds=10),
    Cap(name="ns3", limit=3, window_seconds=40),
    Cap(name="otp", category=Category.OTP, limit=1, window_seconds=7),
    Cap(name="same", key=(CapKey.NUMBER, CapKey.CONTENT), limit=1, window_seconds=5),
    Cap(name="surge", key=(CapKey.SIGNATURE,), limit=5, window_seconds=20),
    Cap(name="hour", key=(CapKey.ACCOUNT,), limit=6, window_seconds=3_600, kind=CapKind.CLOCK),
    Cap(name="day", key=(CapKey.NUMBER, CapKey.ACCOUNT), limit=4, kind=CapKind.CALENDAR_DAY),
)


def local(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, SHANGHAI)


class Charged:
    """One message as the model remembers it: everything, in full."""

    def __init__(self, message: Message, at: Milliseconds, wall: int) -> None:
        self.message = message
        self.at = at
        self.wall = wall


class Model:
    """The slow way: every message ever charged, looked through for every rule."""

    def __init__(self) -> None:
        self.charged: list[Charged] = []
        self.wall = 0

    def full(self, fields: dict[str, Any], at: Milliseconds, wall: Milliseconds) -> set[str]:
        self.wall = max(self.wall, wall // 1_000)
        return {cap.name for cap in MODEL_CAPS if self._is_full(cap, fields, at)}

    def _is_full(self, cap: Cap, fields: dict[str, Any], at: Milliseconds) -> bool:
        if cap.category not in {None, fields["category"]}:
            return False
        counted = [each for each in self.charged if self._counts(cap, each, fields, at)]
        return len(counted) >= cap.limit

    def _counts(self, cap: Cap, each: Charged, fields: dict[str, Any], at: Milliseconds) -> bool:
        message = each.message
        agrees = {
            CapKey.NUMBER: message.to == normalise(fields["to"]).e164,
            CapKey.SIGNATURE: message.signature == fields["signature"],
            CapKey.ACCOUNT: message.account == fields["account"],
            CapKey.CONTENT: message.text == fields["text"],
        }
        if cap.category not in {None, message.category} or not all(agrees[key] for key in cap.key):
            return False
        match cap.kind:
            case CapKind.ROLLING:
                return at < each.at + cap.window_seconds * 1_000
            case CapKind.CLOCK:
                return local(each.wall).strftime("%F %H") == local(self.wall).strftime("%F %H")
            case CapKind.CALENDAR_DAY:
                return local(each.wall).date() == local(self.wall).date()


class Against(RuleBasedStateMachine):
    """Random messages, waits, steps of the wall clock, take-backs and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(*MODEL_CAPS)
        self.model = Model()

    @rule(
        to=st.sampled_from(["13800138000", "13900139000"]),
        signature=st.sampled_from(["阳光物业", "花园小区"]),
        account=st.sampled_from(["a", "b"]),
        text=st.sampled_from(["水", "电", "气", "网"]),
        category=st.sampled_from(Category),
        waited=st.booleans(),
    )
    def submit(self, **fields: Any) -> None:
        full = self.model.full(fields, self.rig.at, self.rig.wall)
        decision = self.rig.submit(**fields)
        if isinstance(decision, Refusal):
            assert decision.data["rule"] in full
        else:
            assert full == set()
            self.model.charged.append(Charged(decision, self.rig.at, self.model.wall))

    @rule(seconds=st.sampled_from([0.001, 0.5, 1, 4.999, 5, 10, 20, 40, 1_800, 3_600, 43_200]))
    def wait(self, seconds: float) -> None:
        self.rig.pass_seconds(seconds)

    @rule(seconds=st.integers(-200_000, 200_000))
    def step(self, seconds: int) -> None:
        self.rig.wall += seconds * 1_000

    @precondition(lambda self: self.model.charged)
    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        each = data.draw(st.sampled_from(self.model.charged))
        self.rig.take_back(each.message)
        self.model.charged.remove(each)

    @rule()
    def sweep(self) -> None:
        self.rig.stage.sweep(0)

    @rule()
    def restart(self) -> None:
        """All that a slice holds, and the latest wall clock, make a new one that goes on."""
        before = self.rig
        self.rig = Rig(*MODEL_CAPS)
        self.rig.at, self.rig.wall, self.rig.last = before.at, before.wall, before.last
        self.rig.stage.note_wall(before.stage._wall * 1_000)
        for charge in unpack(before.stage.charges.dump(0)):
            self.rig.stage.restore(charge)

    @invariant()
    def nothing_is_counted_that_was_not_charged(self) -> None:
        assert len(self.rig.stage.charges) <= len(self.model.charged)


Against.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestAgainstTheModel = Against.TestCase


def test_a_retry_at_that_is_kept_is_rewarded():
    """Whoever waits until `retry_at` meets no full rule that was full before."""
    rig = Rig(*MODEL_CAPS)
    passed = 0
    for _ in range(200):
        decision = rig.submit(account="a", category=Category.OTP, text="水")
        if isinstance(decision, Refusal):
            name, retry_at = refused(decision)
            wait = retry_at - moment(rig.wall)
            assert timedelta(0) < wait <= timedelta(days=1), name
            rig.pass_seconds(wait.total_seconds())
        else:
            passed += 1
    assert passed >= 50


def test_the_codes_of_categories_are_what_charges_on_disk_have():
    assert {Category.OTP: 1, Category.NOTIFICATION: 2, Category.MARKETING: 3} == CATEGORY_CODES
    for category, code in CATEGORY_CODES.items():
        rig = Rig(Cap(name="one", limit=1))
        rig.submit(category=category)
        assert [charge.category for charge in unpack(rig.stage.charges.dump(0))] == [code]
