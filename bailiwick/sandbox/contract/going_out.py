"""Attacks on the way out that a policy gives: somewhere else than it says, by a name that leads inwards, as another."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from bailiwick.sandbox.contract.attack import Attack, Scene
from bailiwick.sandbox.contract.judges import all_refused, answered
from bailiwick.sandbox.egress import Endpoint
from bailiwick.sandbox.spec import Spec

__all__ = ["GOING_OUT"]

_METADATA = ("169.254.169.254:80", "2852039166:80", "0xA9FEA9FE:80", "0251.0376.0251.0376:80", "[::ffff:a9fe:a9fe]:80")
_DENIED = (["403"], ["400"])
"""Not allowed, and no host that could be."""
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_NO_WAY = ("ENETUNREACH", "EHOSTUNREACH", "ECONNREFUSED", "EADDRNOTAVAIL", "gaierror", "herror")
"""ECONNREFUSED: the container's own loopback, on which the way out listens at its own ports alone."""


@asynccontextmanager
async def _somebody() -> AsyncGenerator[tuple[int, list[bytearray]]]:
    """A server on the host's loopback that answers and keeps what it hears: its port, and what came by connection."""
    came: list[bytearray] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = bytearray()
        came.append(heard)
        with contextlib.suppress(OSError):
            heard += await reader.read(4096)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.write_eof()
            while more := await reader.read(4096):  # what follows in the shadow of the first message
                heard += more
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came


def _allowing(scene: Scene, port: int, *addresses: str) -> Spec:
    return scene.spec("egress.py", network=(Endpoint(host="localhost", port=port, addresses=addresses),))


async def _asked(scene: Scene, spec: Spec, function: str, args: dict[str, Any]) -> tuple[str, Any]:
    result = await scene.call("egress.py", function, args, spec=spec, seconds=12)
    return answered(result), result.value


def _let_through(told: dict[str, str]) -> str:
    passed = [f"{act}: {line}" for act, line in told.items() if line.split(" ")[1:2] not in _DENIED]
    return f"not denied: {', '.join(passed)}" if passed else ""


async def _inwards(scene: Scene) -> str:
    """By a name that is allowed and leads to the host itself, as one does that was pointed elsewhere meanwhile."""
    async with _somebody() as (port, came):
        wrong, told = await _asked(scene, _allowing(scene, port), "go_to", {"places": [f"localhost:{port}"]})
        if came:
            return "a server on the host's loopback was reached, and no policy names its address"
        return wrong or _let_through(told)


async def _elsewhere(scene: Scene) -> str:
    async with _somebody() as (port, _), _somebody() as (other, came):
        places = [f"localhost:{other}", f"127.0.0.1:{port}", f"localhost.:{other}", "example.com:443", *_METADATA]
        wrong, told = await _asked(scene, _allowing(scene, port, *_LOOPBACK), "go_to", {"places": places})
        if came:
            return "a port that no policy names was reached"
        return wrong or _let_through(told)


async def _as_another(scene: Scene) -> str:
    async with _somebody() as (port, came):
        args = {"place": f"localhost:{port}", "other": "bank.example"}
        wrong, told = await _asked(scene, _allowing(scene, port, *_LOOPBACK), "name_another_host", args)
        if any(came):
            return "TLS for another host went through the tunnel"
        return wrong or ("" if told not in ("a handshake", "no tunnel") else f"it came to {told}")


async def _anothers_socket(scene: Scene) -> str:
    async with _somebody() as (port, _):
        spec = _allowing(scene, port, *_LOOPBACK)
        found = [await _asked(scene, spec, "find_sockets", {}) for _ in range(2)]
    for wrong, told in found:
        if wrong or told["seen"] != ["/egress/proxy.sock"] or told["abstract"] or told["others"]:
            return wrong or f"sockets are in reach: {told}"
    return "" if found[0][1]["own"] != found[1][1]["own"] else "two containers have one socket"


async def _beside_the_proxy(scene: Scene) -> str:
    """Everything that a container without a way out may not do, in one that has a way out."""
    async with _somebody() as (port, _), _somebody() as (other, came):
        network = (Endpoint(host="localhost", port=port, addresses=_LOOPBACK),)
        spec = scene.spec("network.py", network=network)
        host = {"host_address": "172.17.0.1", "host_port": other, "host_name": f"bailiwick-{secrets.token_hex(8)}"}
        acts = {"reach_out": host, "send_packets": {}, "ask_for_metadata": {}, "tunnel_by_names": {}}
        for function, args in acts.items():
            result = await scene.call("network.py", function, args, spec=spec, seconds=20)
            if came:
                return "a server on the host was reached beside the proxy"
            if wrong := all_refused(*_NO_WAY)(result):
                return wrong
    return ""


async def _smuggled(scene: Scene, *, function: str) -> str:
    async with _somebody() as (port, came):
        args = {"place": f"localhost:{port}", "other": "bank.example"}
        wrong, told = await _asked(scene, _allowing(scene, port, *_LOOPBACK), function, args)
    if wrong or told["as it should be"].split(" ")[1:2] != ["200"]:
        return wrong or f"what is allowed was not let through, so nothing was tried: {told}"
    heard = [misread for each in came if (misread := _another_message(bytes(each), port))]
    return f"the server was sent {heard[0]!r}" if heard else ""


def _another_message(heard: bytes, port: int) -> bytes:
    """What a lenient server could take for another host or a second request; empty when there is none."""
    lines = heard.replace(b"\r", b"\n").split(b"\n")
    hosts = [line.strip().lower() for line in lines if line.strip().lower().startswith(b"host")]
    requests = [line for line in lines if b"HTTP/1" in line]
    one = len(requests) == 1 and b"://" not in requests[0] and hosts == [f"host: localhost:{port}".encode()]
    return b"" if one or not heard else heard


GOING_OUT: tuple[Attack, ...] = (
    Attack(
        name="egress-inwards",
        tried="asks for an allowed name that leads to the host's own address, as a rebound one does",
        promise="an address is looked at after it was resolved, and is private until the policy names it",
        attempt=_inwards,
    ),
    Attack(
        name="egress-elsewhere",
        tried="asks the proxy for other ports, other hosts and a cloud's metadata service in every spelling",
        promise="only the hosts and ports of the policy are reached",
        attempt=_elsewhere,
    ),
    Attack(
        name="egress-name",
        tried="opens an allowed tunnel and names another host in it, by TLS",
        promise="the server name in a tunnel is the one that it was opened for",
        attempt=_as_another,
    ),
    Attack(
        name="egress-host",
        tried="opens an allowed tunnel and names another host in it, by plain HTTP: as Host, twice, as a whole address",
        promise="the host that plain HTTP names in a tunnel is the one that it was opened for",
        attempt=partial(_smuggled, function="smuggle_inside"),
    ),
    Attack(
        name="egress-socket",
        tried="looks for another container's way out",
        promise="each container has a socket of its own, and sees no other",
        attempt=_anothers_socket,
    ),
    Attack(
        name="egress-beside",
        tried="sends packets, connects, resolves names and asks for metadata in a container that has a way out",
        promise="a way out opens the proxy, and no network beside it",
        attempt=_beside_the_proxy,
    ),
    Attack(
        name="egress-smuggle",
        tried="hides another host or a second request in one that is allowed: Host twice, CR LF in a path, two lengths",
        promise="a server sees one request, for the host that was checked",
        attempt=partial(_smuggled, function="smuggle"),
    ),
)
