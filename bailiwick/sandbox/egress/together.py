"""Two directions of one connection, neither of which outlives the other's failure."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

__all__ = ["both", "until"]


async def both(one: Coroutine[Any, Any, None], other: Coroutine[Any, Any, None]) -> None:
    """Until both are over. The first exception ends the other one, and is raised."""
    tasks = [asyncio.ensure_future(one), asyncio.ensure_future(other)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await _end(tasks)


async def until(main: Coroutine[Any, Any, None], beside: Coroutine[Any, Any, None]) -> None:
    """Until ``main`` is over, which ends ``beside``. The first exception of either is raised."""
    tasks = [asyncio.ensure_future(main), asyncio.ensure_future(beside)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0] not in done:
            tasks[1].result()
        await tasks[0]
    finally:
        await _end(tasks)


async def _end(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
