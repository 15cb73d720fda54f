"""From a name to a connection: resolved once, every address looked at, and exactly one of those dialled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bailiwick.policy.host_spelling import is_literal
from bailiwick.sandbox.egress.account import Visit
from bailiwick.sandbox.egress.addresses import refusal
from bailiwick.sandbox.egress.bounds import Bounds
from bailiwick.sandbox.egress.denial import Denied
from bailiwick.sandbox.egress.endpoint import Endpoint

__all__ = ["Dialer", "Resolve", "Stream", "resolve_by_system"]

Resolve = Callable[[str, int], Sequence[str]]
"""From a host and port to addresses. May block; raises OSError."""

_RESOLVERS = 16
"""Threads that wait for answers, for all containers."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Both directions of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def flush(self) -> None:
        """Close it once everything that was written has gone."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def abort(self) -> None:
        """Close it at once, whatever has not gone yet."""
        # A transport that has flushed and closed has no loop any more, and in Python 3.11 it cannot be aborted then.
        with contextlib.suppress(AttributeError):
            self.writer.transport.abort()


def resolve_by_system(host: str, port: int) -> tuple[str, ...]:
    """What the host's own resolver answers, each address once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class Dialer:
    """Makes connections to hosts."""

    def __init__(self, resolve: Resolve, tls: Callable[[], ssl.SSLContext], bounds: Bounds) -> None:
        self._resolve, self._tls, self._bounds = resolve, tls, bounds
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="bailiwick-egress-resolver")

    def close(self) -> None:
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def dial(self, endpoint: Endpoint, visit: Visit, *, tls: bool) -> Stream:
        """Raises Denied: 403 for an address that may not be dialled, 502 for a host that cannot be reached."""
        where = f"{endpoint.host}:{endpoint.port}"
        try:
            async with asyncio.timeout(self._bounds.connect_seconds):
                addresses = await self._addresses(endpoint)
                for address in addresses:
                    if reason := refusal(address, endpoint):
                        fix = "name the network under addresses of this entry, if the tool is meant to reach it"
                        raise Denied(f"{where} may not be reached: {reason}", fix=fix)
                return await self._first(addresses, endpoint, visit, tls=tls)
        except TimeoutError:
            raise _unreachable(where, f"no answer in {self._bounds.connect_seconds:g} s") from None
        except ssl.SSLError as error:
            why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason
            raise _unreachable(where, f"TLS failed: {why or error}") from None
        except (OSError, UnicodeError) as error:
            raise _unreachable(where, _told(error)) from None

    async def _addresses(self, endpoint: Endpoint) -> Sequence[str]:
        if is_literal(endpoint.host):
            return (endpoint.host,)
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._resolvers, self._resolve, endpoint.host, endpoint.port)
        if not found:
            raise OSError("its name has no address")
        return found

    async def _first(self, addresses: Sequence[str], endpoint: Endpoint, visit: Visit, *, tls: bool) -> Stream:
        """The first address that answers. A certificate that is not accepted ends the search: it is an answer."""
        last: OSError = OSError("its name has no address")
        for address in addresses:
            try:
                sock = await _connected(address, endpoint.port)
            except OSError as error:
                last = error
                continue
            visit.address = address
            with contextlib.ExitStack() as unless_taken:
                unless_taken.callback(sock.close)
                context = self._tls() if tls else None
                name = endpoint.host if tls else None
                reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=name)
                unless_taken.pop_all()
            visit.allow(address)
            return Stream(reader=reader, writer=writer)
        raise last


async def _connected(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _unreachable(where: str, why: str) -> Denied:
    fix = "the policy allows it; try again later, or look at the host's own connection"
    return Denied(f"{where} cannot be reached: {why}", fix=fix, status=502)


def _told(error: OSError | UnicodeError) -> str:
    # asyncio writes the address into the text of its own; which one it was is for the event alone.
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)
