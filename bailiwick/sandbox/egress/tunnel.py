"""A tunnel: bytes both ways, once the first ones have been looked at."""

from __future__ import annotations

import asyncio
import contextlib

from bailiwick.sandbox.egress.account import Account, Visit
from bailiwick.sandbox.egress.bounds import Bounds
from bailiwick.sandbox.egress.denial import Denied
from bailiwick.sandbox.egress.dial import Stream
from bailiwick.sandbox.egress.guard import may_pass
from bailiwick.sandbox.egress.idle import Idle
from bailiwick.sandbox.egress.together import both

__all__ = ["Tunnel"]

_CHUNK = 65_536


class Tunnel:
    """Between ``client`` and ``server``. What the server says first goes to the client at once."""

    def __init__(
        self, *, client: Stream, server: Stream, visit: Visit, account: Account, bounds: Bounds, idle: Idle
    ) -> None:
        self._client, self._server = client, server
        self._visit, self._account = visit, account
        self._bounds, self._idle = bounds, idle

    async def run(self, first: bytes) -> None:
        """Until both sides have ended. ``first``: what the client sent along with its request.

        Raises Denied, with the answer that may still be given to the client inside the tunnel.
        """
        try:
            await both(self._up(bytearray(first)), self._down())
            await both(self._client.flush(), self._server.flush())
        except Denied as denied:
            if self._visit.received:
                denied.answer = b""  # the client has another conversation going already
            raise

    async def _up(self, first: bytearray) -> None:
        await self._look_at(first)
        data = bytes(first)
        while data:
            self._account.count(self._visit, sent=len(data))
            await self._pass(data, self._server)
            data = await self._client.reader.read(_CHUNK)
        with contextlib.suppress(OSError):
            self._server.writer.write_eof()

    async def _down(self) -> None:
        while data := await self._server.reader.read(_CHUNK):
            try:
                self._account.count(self._visit, received=len(data))
            except Denied as denied:
                denied.answer = b""
                raise
            await self._pass(data, self._client)
        with contextlib.suppress(OSError):
            self._client.writer.write_eof()

    async def _pass(self, data: bytes, to: Stream) -> None:
        self._idle.touch()
        to.writer.write(data)
        await to.writer.drain()
        self._idle.touch()

    async def _look_at(self, first: bytearray) -> None:
        """Read until it is clear what the client speaks and that it may; a client may stay silent for long."""
        visit, limit = self._visit, self._bounds.header_bytes
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as slow:
                while not may_pass(first, host=visit.host, port=visit.port, limit=limit):
                    if first and slow.when() is None:
                        slow.reschedule(loop.time() + self._bounds.header_seconds)
                    data = await self._client.reader.read(_CHUNK)
                    self._idle.touch()
                    if not data:
                        if first:
                            raise Denied("it ended within its first message", fix="send it whole", answer=b"")
                        return
                    first += data
        except TimeoutError:
            reason = f"its first message took longer than {self._bounds.header_seconds:g} s"
            raise Denied(reason, fix="send it at once", answer=b"") from None
