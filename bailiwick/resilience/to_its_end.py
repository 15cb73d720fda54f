"""Work that is not left half done when the one who waits for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["to_its_end"]

T = TypeVar("T")


async def to_its_end(work: Awaitable[T]) -> T:
    """Run ``work`` to its end, also when the waiting task is cancelled; the cancellation is raised afterwards."""
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError:
                continue  # told once more to stop: the end is still waited for
        raise
