"""LangGraph's PostgreSQL saver over a pool, so that turns do not wait for each other's connection."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from bailiwick.database import Database, hold

__all__ = ["open_in_postgresql"]

CONNECTIONS = 8
_MIGRATING = "checkpoints"


@asynccontextmanager
async def open_in_postgresql(database: Database) -> AsyncGenerator[AsyncPostgresSaver]:
    """A saver whose tables are made, by one process at a time."""
    options: dict[str, Any] = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool = AsyncConnectionPool[AsyncConnection[DictRow]](
        database.dsn,
        min_size=1,
        max_size=CONNECTIONS,
        check=AsyncConnectionPool[Any].check_connection,
        kwargs=options,
        open=False,
    )
    async with pool:
        saver = AsyncPostgresSaver(pool)
        async with hold(database, _MIGRATING, seconds=60):
            await saver.setup()
        yield saver
