"""Bearer keys: whose request this is. Keys are kept and compared as hashes only, and never logged."""

import hashlib
import hmac
from collections.abc import Iterable

from gateway.account import Account
from gateway.http.problems import Code, Problem


def hash_key(key: str) -> bytes:
    """The SHA-256 of a key: what the config may hold instead of the key itself. 32 octets."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class Keys:
    """Finds the account of a key."""

    def __init__(self, accounts: Iterable[tuple[bytes, Account]]) -> None:
        """Take pairs of `hash_key` and account. An account may have several keys; a key has one account, or ValueError.

        A dict is safe here: its look-up compares Python's own keyed hash of the digest (SipHash, a new key every start)
        before any octet of it, so how long it takes says nothing about the keys.
        """
        self._accounts: dict[bytes, tuple[bytes, Account]] = {}
        for digest, account in accounts:
            if digest in self._accounts:
                raise ValueError(f"account[{account.name}].key: must not be the key of another account")
            self._accounts[digest] = (digest, account)

    def account_of(self, authorization: str | None) -> Account:
        """The account that an Authorization header names. Raises Problem (401)."""
        if authorization is None:
            raise _unauthorized("The header Authorization is missing.")
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise _unauthorized("The header Authorization must be: Bearer KEY.")
        digest = hash_key(key.strip())
        found = self._accounts.get(digest)
        if found is None or not hmac.compare_digest(found[0], digest):
            raise _unauthorized("The key is not known.", challenge='Bearer realm="yizhan", error="invalid_token"')
        return found[1]


def _unauthorized(detail: str, challenge: str = 'Bearer realm="yizhan"') -> Problem:
    return Problem(Code.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})
