"""Consent as far as it outlives a restart: opt-outs by reply, call and file, suppressed numbers, the audit; joined."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from gateway.audit import Audit
from gateway.config import Config
from gateway.http.audit import AuditCalls
from gateway.http.opt_outs import OptOutCalls
from gateway.http.routes import Calls
from gateway.http.suppressions import SuppressionCalls
from gateway.message import Milliseconds
from gateway.metrics import Metrics
from gateway.opt_out_import import OptOutImport
from gateway.opt_out_replies import OptOutReplies, Send
from gateway.opt_outs import OptOutRegister
from gateway.rules import Rules
from gateway.store.api import Store, StoreError
from gateway.suppression import Suppressions

AUDIT_LOOK_SECONDS: Final = 10.0

log = structlog.get_logger(__name__)


class Consent:
    """Builds these parts over one store, and does what they need in the background."""

    def __init__(
        self,
        config: Config,
        rules: Rules,
        store: Store,
        metrics: Metrics,
        clock: Callable[[], Milliseconds],
        send: Send,
    ) -> None:
        """`send` takes in messages that confirm a reply."""
        limits = config.consent
        self.audit = Audit(store, clock, keep_seconds=config.audit.keep_days * 86_400)
        self.register = OptOutRegister(
            rules.opt_outs,
            store,
            self.audit,
            limit=limits.opt_outs,
            on_opt_out=lambda account, count: metrics.opt_outs.add((account,), count),
        )
        self.replies = OptOutReplies(self.register, rules.reply_rules(), send)
        self.suppressions = Suppressions(rules.suppressed, store, clock, limit=limits.suppressed)
        self._imports = OptOutImport(self.register, store, self.audit, clock)
        self._carriers = frozenset(carrier.name for carrier in config.carrier)
        self._clock = clock

    async def load(self) -> None:
        """Take in what is on disk, at a start, before anything is sent. Raises StoreError."""
        await self.register.load()
        await self.suppressions.load()
        await self._imports.finish()

    def calls(self) -> Sequence[Calls]:
        """What it adds to the API."""
        return [
            OptOutCalls(self.register, self._imports, self._clock),
            SuppressionCalls(self.suppressions, self.audit, self._carriers),
            AuditCalls(self.audit),
        ]

    async def run(self) -> None:
        """Forget what is too old, until cancelled."""
        while True:
            try:
                await self.audit.trim()
            except StoreError as error:
                log.warning("could not trim the audit", error=str(error))
            await asyncio.sleep(AUDIT_LOOK_SECONDS)
