"""Whose a source number is when no message says so: the account's that alone may send from it. Pure."""

from collections.abc import Collection, Iterable, Mapping

from gateway.account import Account, Scope
from gateway.delivery.addresses import source_key
from gateway.delivery.handover import full_source


class Owners:
    """Finds the account of a number that a subscriber wrote to."""

    def __init__(self, accounts: Iterable[Account], sources: Mapping[str, str]) -> None:
        """`sources`: the source number of each carrier, by its name."""
        self._accounts = [account for account in accounts if Scope.SEND in account.scopes]
        self._sources = sources

    def owner_of(self, carrier: str, sources: Collection[str]) -> str:
        """The name of the account that alone sends from one of these; "" when there are more, or none.

        `sources`: as `sources_of` gives them. An account that names the number goes before those that may use any.
        """
        base = self._sources.get(carrier, "")
        named = [
            account.name
            for account in self._accounts
            if any(source_key(full_source(base, sender), carrier) in sources for sender in account.senders or ())
        ]
        anyone = [account.name for account in self._accounts if account.senders is None]
        owners = named or anyone
        return owners[0] if len(owners) == 1 else ""
