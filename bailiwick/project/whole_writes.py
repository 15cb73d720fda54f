"""LangGraph's SQLite saver, whose writes are whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from bailiwick.resilience import to_its_end

__all__ = ["WholeWrites"]


class WholeWrites(AsyncSqliteSaver):
    """As ``AsyncSqliteSaver``, which, cancelled between a write and its commit, leaves its transaction open.

    Nobody else can then write to the file, this process and its ledger included, until the saver's next commit.
    """

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return await to_its_end(super().aput(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await to_its_end(super().aput_writes(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        await to_its_end(super().adelete_thread(thread_id))
