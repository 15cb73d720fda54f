"""Waiting for a name that one process at a time may have, and having it for as long as a block lasts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bailiwick.database.protocol import Database

__all__ = ["hold"]

FIRST, LONGEST = 0.005, 0.2
"""Seconds between two tries, doubled from the one to the other."""


@asynccontextmanager
async def hold(database: Database, name: str, *, seconds: float) -> AsyncGenerator[None]:
    """Have ``name`` alone among all processes; wait for it ``seconds`` at most. Raises TimeoutError.

    Tried again and again rather than waited for: a waiter may sit in another process, or in another event loop of this
    one, and one that waits in the database would keep a connection for it.
    """
    ends = time.monotonic() + seconds
    pause = FIRST
    while not await _take(database, name):
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError(name)
        await asyncio.sleep(min(pause, left))
        pause = min(LONGEST, pause * 2)
    try:
        yield
    finally:
        if database.kind == "sqlite":
            database.let_go(name)
        else:
            await asyncio.shield(asyncio.to_thread(database.let_go, name))


async def _take(database: Database, name: str) -> bool:
    if database.kind == "sqlite":  # a system call, no network
        return database.take_hold(name)
    taking = asyncio.ensure_future(asyncio.to_thread(database.take_hold, name))
    try:
        return await asyncio.shield(taking)
    except asyncio.CancelledError:
        # The thread goes on and may yet take it: nobody would ever let it go.
        if await taking:
            await asyncio.to_thread(database.let_go, name)
        raise
