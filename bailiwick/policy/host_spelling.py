"""One spelling for every host, so that what a policy names, what a client asks for and what is dialled can be compared.

An address has a single spelling here. ``0x7f.1``, ``2130706433`` and ``127.1`` all mean 127.0.0.1 to some resolver,
and a check that reads text would not see it.
"""

from __future__ import annotations

import ipaddress
import re

import idna

__all__ = ["METADATA_ADDRESSES", "canonical_host", "host_and_port", "is_literal", "is_metadata"]

METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",  # AWS, Google, Azure, OpenStack, Oracle and others
        "169.254.170.2",  # AWS ECS
        "169.254.170.23",  # AWS EKS
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's host agent
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS
        "fd20:ce::254",  # Google
    )
)
"""Where clouds hand a machine its credentials. No policy opens them: whoever reads there is the host."""

_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"})
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_WITH_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*):([0-9]{1,5})")


def canonical_host(text: str) -> str:
    """``text`` in lower case, IDNA-encoded, without brackets and trailing dot. Raises ValueError with what to write."""
    if "*" in text:
        raise ValueError(f"{text!r} is too wide; name each host, as name:port")
    bracketed = text.startswith("[") and text.endswith("]")
    host = text[1:-1] if bracketed else text
    if ":" in host:
        return _ipv6(host)
    if bracketed:
        raise ValueError(f"{text!r} is no host; only an IPv6 address stands in brackets")
    try:
        # The mapping also turns other digits and dots into those of ASCII, so it comes before they are looked at.
        host = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        raise ValueError(f"{text!r} is no host; write its name as DNS has it, such as api.example") from None
    host = host.removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(host)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{text!r} is no host; write its name as DNS has it, such as api.example")
    return host


def host_and_port(text: str) -> tuple[str, int]:
    """``name:port`` in its two parts, the host canonical. Raises ValueError with what to write."""
    match = _WITH_PORT.fullmatch(text)
    if match is None or not 1 <= int(match[2]) <= 65535:
        if "*" in text:
            raise ValueError(f"{text!r} is too wide; name each host, as name:port")
        raise ValueError(f"{text!r} is no host with a port; write name:port, such as api.example:443")
    return canonical_host(match[1]), int(match[2])


def is_literal(host: str) -> bool:
    """Whether a canonical host is an address."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def is_metadata(host: str) -> bool:
    """Whether a canonical host is where a cloud hands out credentials."""
    return ipaddress.ip_address(host) in METADATA_ADDRESSES if is_literal(host) else host in _METADATA_NAMES


def _ipv4(host: str) -> str:
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        raise ValueError(f"{host!r} is a number in place of a host; write an address like 192.0.2.1") from None
    return str(address)


def _ipv6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise ValueError(f"{host!r} is no IPv6 address; write one like [2001:db8::1]:443") from None
    if address.scope_id is not None:
        raise ValueError(f"{host!r} names an interface; write the address without %")
    if address.ipv4_mapped is not None:
        raise ValueError(f"{host!r} is an IPv4 address inside another; write {address.ipv4_mapped}")
    if str(address) != host.lower():
        raise ValueError(f"{host!r} is not the short spelling of its address; write [{address}]")
    return str(address)
