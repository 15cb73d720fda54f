"""Attacks over a network, of which a container has none. Egress that a policy allows is attacked beside its proxy."""

from __future__ import annotations

import asyncio
import secrets
import socket
from typing import Any

from bailiwick.sandbox.contract.attack import Attack, Scene
from bailiwick.sandbox.contract.judges import Judge, all_refused
from bailiwick.sandbox.contract.one_call import OneCall

__all__ = ["NETWORKING"]

_NO_WAY = ("ENETUNREACH", "ECONNREFUSED", "EADDRNOTAVAIL", "gaierror", "herror")
"""ECONNREFUSED: the container's own loopback, on which nobody listens."""
_BRIDGE = "172.17.0.1"
"""Where a host is for containers on Docker's default bridge."""


def _connects(name: str, tried: str, promise: str, function: str, judge: Judge, **more: Any) -> Attack:
    attempt = OneCall(file="network.py", function=function, judge=judge, **more)
    return Attack(name=name, tried=tried, promise=promise, attempt=attempt)


async def _reach_the_host(scene: Scene) -> str:
    """With somebody on the host who listens, by address and by an abstract name."""
    came: list[str] = []

    def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append("a connection")
        writer.close()

    name = f"bailiwick-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        server = await asyncio.start_server(welcome, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            args = {"host_address": _BRIDGE, "host_port": port, "host_name": name}
            result = await scene.call("network.py", "reach_out", args)
    if came:
        return "a server on the host was reached"
    return all_refused(*_NO_WAY)(result)


NETWORKING: tuple[Attack, ...] = (
    Attack(
        name="network",
        tried="connects to the internet, to the host, to its loopback and to its abstract sockets",
        promise="there is no network",
        attempt=_reach_the_host,
    ),
    _connects(
        "packets",
        "sends datagrams, broadcasts, pings and raw IP",
        "nothing is sent, whatever the protocol",
        "send_packets",
        all_refused(*_NO_WAY, "EHOSTUNREACH"),
    ),
    _connects(
        "metadata",
        "asks a cloud's metadata service, by every spelling of its address",
        "no spelling of an address leads out",
        "ask_for_metadata",
        all_refused(*_NO_WAY, "EHOSTUNREACH"),
    ),
    _connects(
        "names",
        "carries data out in names to be resolved",
        "nobody resolves names inside, so that none carries data out",
        "tunnel_by_names",
        all_refused(*_NO_WAY),
    ),
)
