"""One connection of a container, from its first byte to its event."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import h11

from bailiwick.sandbox.egress.account import Account, Visit
from bailiwick.sandbox.egress.asked import allowed_request, allowed_tunnel
from bailiwick.sandbox.egress.bounds import Bounds
from bailiwick.sandbox.egress.denial import Denied
from bailiwick.sandbox.egress.dial import Dialer, Stream
from bailiwick.sandbox.egress.endpoint import Endpoint
from bailiwick.sandbox.egress.exchange import Exchange
from bailiwick.sandbox.egress.idle import Idle
from bailiwick.sandbox.egress.tunnel import Tunnel

__all__ = ["Way", "serve"]

_LINGER_SECONDS, _LINGER_BYTES = 1.0, 2**20


@dataclass(frozen=True, kw_only=True)
class Way:
    """What the connections of one container have in common."""

    endpoints: tuple[Endpoint, ...]
    account: Account
    dialer: Dialer
    bounds: Bounds


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
    """Serve one client to its end and tell the account of it. Raises nothing but CancelledError."""
    client = Stream(reader=reader, writer=writer)
    task = asyncio.current_task()
    assert task is not None

    def cut() -> None:
        client.abort()
        task.cancel()

    visit = Visit(cut=cut)
    try:
        await _answered(client, way, visit)
    except TimeoutError:
        visit.reason = visit.reason or _idle(way.bounds)
    except OSError:
        pass  # the client, or the host in a tunnel, has gone
    except Exception as error:  # noqa: BLE001  a fault here must not pass for an allowed connection
        visit.deny(f"the proxy itself failed: {type(error).__name__}: {error}")
    finally:
        way.account.leave(visit)
        client.abort()


async def _answered(client: Stream, way: Way, visit: Visit) -> None:
    seconds = way.bounds.idle_seconds
    try:
        async with Idle(seconds) as idle:
            way.account.enter(visit)
            await _serve(client, way, visit, idle)
        return
    except Denied as error:
        denied = error
        visit.deny(denied.reason)
    except TimeoutError:
        if visit.answered:
            raise
        denied = Denied(_idle(way.bounds), fix="try again", status=504)
    async with asyncio.timeout(seconds):
        await _answer(client, denied, visit)


def _idle(bounds: Bounds) -> str:
    return f"closed after {bounds.idle_seconds:g} s without a byte"


async def _serve(client: Stream, way: Way, visit: Visit, idle: Idle) -> None:
    asked_by = h11.Connection(h11.SERVER, max_incomplete_event_size=way.bounds.header_bytes)
    request = await _head(client, asked_by, way.bounds)
    visit.method = request.method.decode("ascii")[:32]
    if request.method == b"CONNECT":
        _refuse_body(request)
        endpoint = allowed_tunnel(request.target.decode("ascii"), way.endpoints, visit)
        async with _aborted(await way.dialer.dial(endpoint, visit, tls=False)) as server:
            client.writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            visit.answered = True
            tunnel = Tunnel(
                client=client, server=server, visit=visit, account=way.account, bounds=way.bounds, idle=idle
            )
            await tunnel.run(asked_by.trailing_data[0])
        return
    asked = allowed_request(request, way.endpoints, visit)
    async with _aborted(await way.dialer.dial(asked.endpoint, visit, tls=asked.endpoint.tls)) as server:
        exchange = Exchange(
            client=client, asked_by=asked_by, server=server, visit=visit, account=way.account, idle=idle
        )
        await exchange.run(request, asked)
    await _finish(client)


async def _head(client: Stream, asked_by: h11.Connection, bounds: Bounds) -> h11.Request:
    try:
        async with asyncio.timeout(bounds.header_seconds):
            event = await _first_event(client, asked_by, bounds.header_bytes)
    except h11.RemoteProtocolError as error:
        reason = f"the request is not as HTTP has it: {error}"
        raise Denied(reason, fix="speak HTTP to the proxy", status=error.error_status_hint) from None
    except TimeoutError:
        reason = f"the request's head took longer than {bounds.header_seconds:g} s"
        raise Denied(reason, fix="send it at once", status=408) from None
    if not isinstance(event, h11.Request):
        raise Denied("it ended before it said where to go", fix="send a request", status=400)
    return event


async def _first_event(client: Stream, asked_by: h11.Connection, limit: int) -> object:
    read = 0
    while (event := asked_by.next_event()) is h11.NEED_DATA:
        if read == limit:
            raise Denied(f"the request's head is longer than {limit} bytes", fix="send shorter headers", status=431)
        data = await client.reader.read(limit - read)
        read += len(data)
        asked_by.receive_data(data)
    return event


def _refuse_body(request: h11.Request) -> None:
    for name, value in request.headers:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            raise Denied("CONNECT has no body", fix="send it without Content-Length", status=400)


@contextlib.asynccontextmanager
async def _aborted(server: Stream) -> AsyncGenerator[Stream]:
    try:
        yield server
    finally:
        server.abort()


async def _answer(client: Stream, denied: Denied, visit: Visit) -> None:
    body = visit.method != "HEAD"
    answer = denied.response(host=visit.host, port=visit.port, body=body) if denied.answer is None else denied.answer
    if not answer:
        return
    client.writer.write(answer)
    if denied.status == 429:
        await client.flush()  # nothing is waited for: there is no bound on how many of these are open
    else:
        await _finish(client)


async def _finish(client: Stream) -> None:
    """Let what was written arrive: a client that still sends would lose it, were the connection closed at once."""
    await client.writer.drain()
    client.writer.write_eof()
    read = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while read < _LINGER_BYTES and (data := await client.reader.read(65_536)):
                read += len(data)
    await client.flush()
