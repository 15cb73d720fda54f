"""What the runner needs to lead clients inside to the proxy: names, loopback addresses and ports."""

from __future__ import annotations

from typing import Any, Final

from bailiwick.policy.host_spelling import is_literal
from bailiwick.sandbox.egress.endpoint import Endpoint

__all__ = ["SOCKET_NAME", "forwards", "hosts_text"]

SOCKET_NAME: Final = "proxy.sock"
_PROXY_PORT = 3128
_LOCAL = "127.0.0.1"


def forwards(endpoints: tuple[Endpoint, ...]) -> dict[str, Any]:
    """As JSON: ``socket`` inside; ``proxy``, where clients that know of proxies go; ``names``, for those that do not.

    An address literal has no name, so it is reached by the proxy alone.
    """
    addresses = _addresses(endpoints)
    places = dict.fromkeys((each.host, each.port) for each in endpoints if each.host in addresses)
    taken = {port for host, port in places if addresses[host] == _LOCAL}
    proxy = next(port for port in range(_PROXY_PORT, 65536) if port not in taken)
    return {
        "socket": f"/egress/{SOCKET_NAME}",
        "proxy": [_LOCAL, proxy],
        "names": [{"address": addresses[host], "port": port, "host": host} for host, port in places],
    }


def hosts_text(endpoints: tuple[Endpoint, ...]) -> str:
    """The container's /etc/hosts: localhost, and each name at a loopback address of its own."""
    names = {**_addresses(endpoints), "localhost": _LOCAL}
    lines = [f"{address}\t{host}\n" for host, address in names.items() if host != "localhost"]
    return f"{_LOCAL}\tlocalhost\n::1\tlocalhost\n" + "".join(lines)


def _addresses(endpoints: tuple[Endpoint, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    free = (f"127.0.{third}.{last}" for third in range(1, 256) for last in range(1, 255))
    for endpoint in endpoints:
        if endpoint.host == "localhost":
            found[endpoint.host] = _LOCAL
        elif not is_literal(endpoint.host) and endpoint.host not in found:
            found[endpoint.host] = next(free)
    return found
