"""Takes a container's connections, no faster than they may come."""

from __future__ import annotations

import asyncio
import socket

from bailiwick.sandbox.egress.connection import Way, serve

__all__ = ["accept"]

_AGAIN = 0.1
"""Seconds after which it is tried again when this process has no descriptor left."""


async def accept(listener: socket.socket, way: Way) -> None:
    """Until it is cancelled. Closes ``listener`` then; each connection is served by a task of its own."""
    loop = asyncio.get_running_loop()
    rate = way.bounds.connections_per_second
    room, at = rate, loop.time()
    serving: set[asyncio.Task[None]] = set()
    try:
        while True:
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(_AGAIN)
                continue
            task = asyncio.create_task(_serve(sock, way))
            serving.add(task)  # the loop itself holds tasks only weakly
            task.add_done_callback(serving.discard)
            now = loop.time()
            room, at = min(rate, room + (now - at) * rate) - 1, now
            if room < 1:
                await asyncio.sleep((1 - room) / rate)
    finally:
        listener.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _serve(sock: socket.socket, way: Way) -> None:
    try:
        reader, writer = await asyncio.open_unix_connection(sock=sock)
    except BaseException:
        sock.close()
        raise
    await serve(reader, writer, way)
