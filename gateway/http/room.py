"""Whether there is room for the messages of a request: decided once, before the first of them, for all of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.account import Account
from gateway.http.problems import Code, Problem
from gateway.http.settings import HttpSettings
from gateway.store.api import Store


class Room:
    """What is on its way in is counted with what is open on disk, so that many requests at once find no more room."""

    def __init__(self, settings: HttpSettings, store: Store) -> None:
        self._max_in_progress = settings.max_messages_in_progress
        self._max_open = settings.max_open_messages
        self._store = store
        self._by_account: dict[str, int] = {}
        self.reserved_messages = 0

    @contextmanager
    def reserved(self, account: Account, count: int) -> Iterator[None]:
        """Keep room for so many while they are written. Raises Problem: then none was accepted."""
        self._check(account, count)
        name = account.name
        self.reserved_messages += count
        self._by_account[name] = self._by_account.get(name, 0) + count
        try:
            yield
        finally:
            self.reserved_messages -= count
            left = self._by_account[name] - count
            if left:
                self._by_account[name] = left
            else:
                del self._by_account[name]

    def _check(self, account: Account, count: int) -> None:
        store, coming = self._store, self.reserved_messages + count
        if store.is_full:
            raise Problem(
                Code.STORE_UNAVAILABLE,
                "The disk of the gateway is nearly full. Nothing was accepted; send it again later.",
            )
        if coming > self._max_in_progress:
            detail = "More messages are on their way to the disk than the gateway holds. Nothing was accepted."
            raise Problem(Code.QUEUE_FULL, detail)
        if store.open_total + coming > self._max_open:
            raise Problem(
                Code.QUEUE_FULL, "More messages wait to be sent than the gateway holds. Nothing was accepted."
            )
        mine = self._by_account.get(account.name, 0) + count
        if store.open_messages.get(account.name, 0) + mine > account.max_open_messages:
            detail = (
                f"More than {account.max_open_messages} messages of the account are not final. Nothing was accepted."
            )
            raise Problem(Code.QUEUE_FULL, detail)
