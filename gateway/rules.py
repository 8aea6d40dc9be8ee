"""The rules that hold after acceptance too, built from the config; the app hands them to those who ask.

Their state is here once: intake and the gate look into the same hours and the same opt-outs.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from gateway.cap_snapshots import CapSnapshots
from gateway.clock import GatewayClock
from gateway.config import Config, load_holidays
from gateway.gate import PolicyGate
from gateway.message import Milliseconds
from gateway.numbers import normalise
from gateway.opt_out_replies import ReplyRules
from gateway.policy.cap_settings import effective_caps
from gateway.policy.caps import CapsStage, Tags
from gateway.policy.charges import Charges
from gateway.policy.consent import ConsentStage, OptOuts, Suppressed
from gateway.policy.hours import Hours, HoursStage
from gateway.policy.pipeline import CountingStage, Pipeline, Stage
from gateway.policy.quotas import QuotaStage
from gateway.policy.replies import OPT_OUT_WORDS
from gateway.policy.review import ReviewStage
from gateway.policy.windows import Windows, parse_window


class Rules:
    """Consent and hours, as they stand. Raises ConfigError for holidays that cannot be read."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.opt_outs = OptOuts()
        self.suppressed = Suppressed()
        self._holidays = load_holidays(config)
        self.quotas = QuotaStage(
            {each.name: each.quota for each in config.account if each.quota is not None},
            ZoneInfo(config.usage.time_zone),
        )
        self._hours = {
            category: Hours(self.windows(settings.hours))
            for category, settings in config.categories.items()
            if settings.hours
        }

    def stages(self) -> list[Stage]:
        """What is asked at acceptance."""
        valid_for = {name: each.valid_for_seconds for name, each in self._config.categories.items()}
        return [ConsentStage(self.opt_outs), HoursStage(self._hours, valid_for), ReviewStage()]

    async def load_caps(self, snapshots: CapSnapshots, *, last_time: Milliseconds) -> CapsStage:
        """The caps, with all that counts of before. Raises StoreError.

        `last_time`: the wall clock, or the last time on disk when that is later.
        """
        clock = GatewayClock(last_time)
        tags = Tags(await snapshots.secret())
        settings = self._config.caps
        stage = CapsStage(
            effective_caps(self._config.cap),
            Charges(salt=tags.salt),
            tags,
            clock=clock.now,
            white_list=[normalise(number).e164 for number in settings.white_list],
            max_charges=settings.max_charges,
            on_late_change=snapshots.note_late,
        )
        clock.advance_to(await snapshots.load(stage))
        stage.note_wall(last_time)
        return stage

    def gate(self, counting: Sequence[CountingStage] = ()) -> PolicyGate:
        """What is asked afterwards. `counting`: the stages that charge those that waited, when they are released."""
        return PolicyGate(
            opt_outs=self.opt_outs,
            suppressed=self.suppressed,
            hours=self._hours,
            counting=Pipeline([], [], counting),
            accounts={account.name: account.account for account in self._config.account},
            spread_seconds=self._config.hours.spread_seconds,
        )

    def reply_rules(self) -> dict[str, ReplyRules]:
        """What replies to each account's messages do."""
        return {
            account.name: ReplyRules(
                account=account.account,
                opt_out_words=frozenset(OPT_OUT_WORDS if account.opt_out_words is None else account.opt_out_words),
                opt_out_answer=account.opt_out_answer,
                opt_in_answer=account.opt_in_answer,
            )
            for account in self._config.account
        }

    def reload_holidays(self) -> None:
        """Take the file of holidays as it is now. Raises ConfigError, and then the old ones hold."""
        self._holidays = load_holidays(self._config)
        for category, hours in self._hours.items():
            hours.change(self.windows(self._config.categories[category].hours))

    def windows(self, texts: Sequence[str]) -> Windows:
        """What is written in a setting `hours`, in the zone and with the holidays of the config."""
        return Windows([parse_window(text) for text in texts], ZoneInfo(self._config.hours.time_zone), self._holidays)
