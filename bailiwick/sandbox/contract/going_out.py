"""Attacks on the way out that a policy gives: somewhere else than it says, by a name that leads inwards, as another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from bailiwick.sandbox.contract.attack import Attack, Scene
from bailiwick.sandbox.contract.judges import answered
from bailiwick.sandbox.egress import Endpoint
from bailiwick.sandbox.spec import Spec

__all__ = ["GOING_OUT"]

_METADATA = ("169.254.169.254:80", "2852039166:80", "0xA9FEA9FE:80", "0251.0376.0251.0376:80", "[::ffff:a9fe:a9fe]:80")
_DENIED = (["403"], ["400"])
"""Not allowed, and no host that could be."""
_LOOPBACK = ("127.0.0.0/8", "::1/128")


@asynccontextmanager
async def _somebody() -> AsyncGenerator[tuple[int, list[bytes]]]:
    """A server on the host's loopback that answers and keeps what it hears: its port, and what came."""
    came: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(4096))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
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
        if wrong or told["seen"] != ["/egress/proxy.sock"] or told["abstract"]:
            return wrong or f"sockets are in reach: {told}"
    return "" if found[0][1]["own"] != found[1][1]["own"] else "two containers have one socket"


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
        name="egress-socket",
        tried="looks for another container's way out",
        promise="each container has a socket of its own, and sees no other",
        attempt=_anothers_socket,
    ),
)
