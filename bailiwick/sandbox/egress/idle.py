"""The end of a connection on which nothing moves."""

from __future__ import annotations

import asyncio
from types import TracebackType

__all__ = ["Idle"]


class Idle:
    """``async with``: raises TimeoutError in its block after ``seconds`` without a ``touch``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)
        self._loop = asyncio.get_running_loop()

    def touch(self) -> None:
        if not self._timeout.expired():
            self._timeout.reschedule(self._loop.time() + self._seconds)

    async def __aenter__(self) -> Idle:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._timeout.__aexit__(kind, error, trace)
