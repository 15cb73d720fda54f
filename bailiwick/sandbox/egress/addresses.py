"""Which addresses may be dialled: public ones, and those that the policy names."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from bailiwick.policy.host_spelling import METADATA_ADDRESSES, is_literal
from bailiwick.sandbox.egress.endpoint import Endpoint

__all__ = ["refusal"]

Address = IPv4Address | IPv6Address

# is_global has changed with Python's versions and calls multicast global; so what is meant is written down as well.
_NOT_PUBLIC = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def refusal(address: str, endpoint: Endpoint) -> str:
    """Why ``address``, which ``endpoint``'s host leads to, may not be dialled; empty when it may."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return f"{address!r} is no address"
    for each in (found, *_inside(found)):
        if each in METADATA_ADDRESSES:
            return f"{address} hands out the credentials of the host"
    if is_literal(endpoint.host) and ipaddress.ip_address(endpoint.host) == found:
        return ""
    named = tuple(ipaddress.ip_network(network) for network in endpoint.addresses)
    if any(found in network for network in named):
        return ""
    if not _public(found) or not all(_public(each) for each in _inside(found)):
        return f"{address} is not a public address"
    return ""


def _public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        routed = address in _GLOBAL_UNICAST and address.scope_id is None and address.is_global
        return (routed and not address.is_reserved and not address.is_multicast) or address in _NAT64
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def _inside(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address stands for: whoever carries the packets on may unwrap them."""
    if isinstance(address, IPv4Address):
        return ()
    found: list[IPv4Address] = []
    if address.ipv4_mapped is not None:
        found.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    number = int(address)
    if address in _NAT64 or number >> 32 == 0 or (number >> 32 & 0xFFFF_FFFF) in _ISATAP:
        found.append(IPv4Address(number & 0xFFFF_FFFF))
    return tuple(found)
