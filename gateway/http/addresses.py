"""Where the requests of an account may come from."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_REMEMBERED: Final = 1_024  # clients; to read an address takes longer than to compare it


def is_within(remote: str | None, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether the other end of a connection is in one of these networks. What has no address, None, is not."""
    if remote is None:
        return False
    address = _read(remote)
    return any(address in network for network in networks)


@lru_cache(_REMEMBERED)
def _read(remote: str) -> IPv4Address | IPv6Address:
    """The address of a client. On a socket for both, one of IPv4 is ::ffff:10.0.0.1 (RFC 4291, section 2.5.5.2)."""
    address = ip_address(remote)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
