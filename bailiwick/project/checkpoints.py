"""LangGraph's own savers over the project's database."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from bailiwick.database import Database
from bailiwick.project.whole_writes import WholeWrites

__all__ = ["open_checkpoints"]


@asynccontextmanager
async def open_checkpoints(database: Database) -> AsyncGenerator[BaseCheckpointSaver[Any]]:
    """A saver in the same SQLite file or the same PostgreSQL database, its tables made."""
    if database.kind == "sqlite":
        async with WholeWrites.opened(database.dsn) as saver:
            yield saver
        return
    from bailiwick.project.postgresql_checkpoints import open_in_postgresql  # an extra: may not be installed

    async with open_in_postgresql(database) as saver:
        yield saver
