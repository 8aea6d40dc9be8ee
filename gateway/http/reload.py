"""POST /v1/reload: take the files beside the config as they are now: the same that SIGHUP does, with an answer."""

from collections.abc import Awaitable, Callable, Sequence

from gateway.account import Scope
from gateway.audit import Audit
from gateway.http.calls import Answer, Call, answer
from gateway.http.problems import Code, Problem
from gateway.http.routes import Route
from gateway.store.api import StoreError


class ReloadCalls:
    """Lets operators reload."""

    def __init__(self, reload: Callable[[], Awaitable[Sequence[str]]], audit: Audit) -> None:
        """`reload` returns what is wrong with the files that were not taken in."""
        self._reload = reload
        self._audit = audit

    def routes(self) -> Sequence[Route]:
        return [Route(method="POST", path="/v1/reload", handler=self.reload, scope=Scope.OPERATE)]

    async def reload(self, call: Call) -> Answer:
        """Reload; tell what is wrong with the files whose old contents hold."""
        faults = list(await self._reload())
        try:
            await self._audit.note(call.account.name, "reload", why="; ".join(faults))
        except StoreError:
            raise Problem(Code.STORE_UNAVAILABLE, "Reloaded, and it could not be written who did it.") from None
        return answer(call, {"faults": faults})
