"""LangGraph's SQLite saver, whose writes are whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from bailiwick.resilience import to_its_end

__all__ = ["WholeWrites"]

T = TypeVar("T")


class WholeWrites(AsyncSqliteSaver):
    """As ``AsyncSqliteSaver``, whose transaction stays open where a write is cancelled, fails or meets a closing.

    Nobody else could then write to the file, this process and its ledger included. Here a write that has begun is
    ended, one that failed is rolled back, and closing waits for those under way.
    """

    @classmethod
    @asynccontextmanager
    async def opened(cls, file: str) -> AsyncGenerator[WholeWrites]:
        async with aiosqlite.connect(file) as connection:
            saver = cls(connection)
            try:
                yield saver
            finally:
                while saver._under_way:
                    await asyncio.wait(saver._under_way)

    def __init__(self, conn: aiosqlite.Connection) -> None:
        super().__init__(conn)
        self._under_way: set[asyncio.Task[Any]] = set()

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return await self._whole(super().aput(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await self._whole(super().aput_writes(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        await self._whole(super().adelete_thread(thread_id))

    async def _whole(self, writing: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(self._or_nothing(writing))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await to_its_end(task)

    async def _or_nothing(self, writing: Coroutine[Any, Any, T]) -> T:
        try:
            return await writing
        except BaseException:
            async with self.lock:  # each write commits under it, so that what is open here was left behind
                if self.conn.in_transaction:
                    await self.conn.rollback()
            raise
