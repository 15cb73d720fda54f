"""One HTTP request and its response, both read by h11 and written anew, so that both sides see the same message.

One request a connection: nothing can follow in the shadow of another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

import h11

from bailiwick.sandbox.egress.account import Account, Visit
from bailiwick.sandbox.egress.asked import Asked, where
from bailiwick.sandbox.egress.denial import Denied
from bailiwick.sandbox.egress.dial import Stream
from bailiwick.sandbox.egress.idle import Idle
from bailiwick.sandbox.egress.together import until

__all__ = ["Exchange", "next_event"]

_CHUNK = 65_536
_RESPONSE_HEAD = 64 * 2**10
_OF_ONE_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer upgrade".split()
)
_FRAMING = frozenset(b"content-length transfer-encoding".split())
_OURS = frozenset(b"host expect http2-settings".split())
_OTHER_REQUESTS = frozenset(
    b"x-http-method x-http-method-override x-method-override x-original-url x-rewrite-url x-original-uri".split()
)
"""By which some servers take another method or path than the one that was checked."""

Headers = list[tuple[bytes, bytes]]


async def next_event(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Event:
    """What comes next; reads until it is there. Raises h11.RemoteProtocolError."""
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(_CHUNK))
    if event is h11.PAUSED:
        raise h11.RemoteProtocolError("something follows the message")
    assert not isinstance(event, type)
    return event


class Exchange:
    """From ``client``, whose request was read by ``asked_by``, to ``server`` and back."""

    def __init__(
        self, *, client: Stream, asked_by: h11.Connection, server: Stream, visit: Visit, account: Account, idle: Idle
    ) -> None:
        self._client, self._asked_by, self._server = client, asked_by, server
        self._visit, self._account, self._idle = visit, account, idle
        self._asking = h11.Connection(h11.CLIENT, max_incomplete_event_size=_RESPONSE_HEAD)

    async def run(self, request: h11.Request, asked: Asked) -> None:
        """Until the response is with the client. Raises Denied; its answer is empty once a response has begun."""
        try:
            await self._send(_request(request, asked))
            await until(self._back(), self._body())
        except h11.ProtocolError as error:
            raise self._failed(str(error)) from None
        except OSError as error:
            raise self._failed(error.strerror or "the connection broke") from None
        except Denied as denied:
            if self._visit.answered:
                denied.answer = b""
            raise

    def _failed(self, why: str) -> Denied:
        place = where(self._visit.host, self._visit.port)
        answer = b"" if self._visit.answered else None
        return Denied(f"{place} did not answer as HTTP has it: {why}", fix="try again", status=502, answer=answer)

    async def _send(self, event: h11.Event) -> None:
        data = self._asking.send(event) or b""
        if data:
            self._account.count(self._visit, sent=len(data))
        self._idle.touch()
        self._server.writer.write(data)
        await self._server.writer.drain()
        self._idle.touch()

    async def _body(self) -> None:
        if self._asked_by.they_are_waiting_for_100_continue:
            await self._tell(h11.InformationalResponse(status_code=100, headers=[]))
        while True:
            try:
                event = await next_event(self._asked_by, self._client.reader)
            except h11.RemoteProtocolError as error:
                raise Denied(f"the request is not as HTTP has it: {error}", fix="mend the client", status=400) from None
            if isinstance(event, h11.EndOfMessage):
                event = h11.EndOfMessage()  # trailers are for one hop
            elif not isinstance(event, h11.Data):
                raise Denied("the request ended within its body", fix="send it whole", status=400)
            # A server may answer early and close; the answer is what counts then.
            with contextlib.suppress(OSError):
                await self._send(event)
            if isinstance(event, h11.EndOfMessage):
                return

    async def _back(self) -> None:
        while True:
            event = await self._next_from_server()
            match event:
                case h11.InformationalResponse():
                    continue
                case h11.Response():
                    kept = _one_hop_less([(name, value) for name, value in event.headers])
                    self._visit.answered = True
                    await self._tell(
                        h11.Response(
                            status_code=event.status_code,
                            reason=event.reason,
                            headers=[*kept, *_framing(event.headers), (b"connection", b"close")],
                        )
                    )
                case h11.Data():
                    await self._tell(event)
                case h11.EndOfMessage():
                    await self._tell(h11.EndOfMessage())
                    return
                case _:
                    raise h11.RemoteProtocolError("it closed the connection without an answer")

    async def _next_from_server(self) -> h11.Event:
        while (event := self._asking.next_event()) is h11.NEED_DATA:
            data = await self._server.reader.read(_CHUNK)
            self._idle.touch()
            self._account.count(self._visit, received=len(data))
            self._asking.receive_data(data)
        if event is h11.PAUSED or isinstance(event, type):
            raise h11.RemoteProtocolError("it changed the protocol")
        return event

    async def _tell(self, event: h11.Event) -> None:
        self._client.writer.write(self._asked_by.send(event) or b"")
        await self._client.writer.drain()
        self._idle.touch()


def _request(request: h11.Request, asked: Asked) -> h11.Request:
    endpoint = asked.endpoint
    headers = [(name, value) for name, value in request.headers]
    names = [name for name, _ in headers]
    if b"content-length" in names and b"transfer-encoding" in names:
        raise Denied("the request says its length in two ways", fix="send one of them", status=400)
    kept = [(name, value) for name, value in _one_hop_less(headers) if name not in _OURS]
    if endpoint.limited:
        kept = [(name, value) for name, value in kept if name.replace(b"_", b"-") not in _OTHER_REQUESTS]
    usual = endpoint.port == (443 if endpoint.tls else 80)
    host = where(endpoint.host, endpoint.port)
    if usual:
        host = host.rpartition(":")[0]
    return h11.Request(
        method=request.method,
        target=asked.target,
        headers=[(b"host", host.encode()), *kept, *_framing(headers), (b"connection", b"close")],
    )


def _one_hop_less(headers: Headers) -> Headers:
    """Without what is meant for the next hop only, and without framing."""
    listed = {part.strip().lower() for name, value in headers if name == b"connection" for part in value.split(b",")}
    return [
        (name, value)
        for name, value in headers
        if name not in _OF_ONE_HOP and name not in _FRAMING and name not in listed
    ]


def _framing(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return [(name, value) for name, value in headers if name in _FRAMING]
