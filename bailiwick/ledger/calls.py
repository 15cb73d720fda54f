"""The call ledger: which tool calls were begun and which came back, so that none with a side effect runs twice.

One row a call, ``thread:call_id``, written before the container is asked and again when it has answered, each in its
own durable transaction (``synchronous=FULL``). LangGraph writes a checkpoint only after a node has returned, so a
process killed between a tool's effect and that checkpoint would run the tool again; the ledger is what knows better.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

__all__ = ["Begun", "CallLedger", "Entry", "Finished", "LeftOpen"]


@dataclass(frozen=True, kw_only=True)
class Begun:
    """The call is ours to run; ``key`` is its idempotency key."""

    key: str


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The call ran before; ``result`` is what it gave, to be replayed."""

    key: str
    result: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LeftOpen:
    """The call was begun before and never finished: whether it had its effect is not known."""

    key: str
    begun_at: float
    """Seconds since the epoch."""


Entry = Begun | Finished | LeftOpen

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bailiwick_calls (
    key TEXT PRIMARY KEY, thread TEXT NOT NULL, tool TEXT NOT NULL, args TEXT NOT NULL,
    begun_at REAL NOT NULL, finished_at REAL, result TEXT
) WITHOUT ROWID
"""


class CallLedger:
    """The ledger in one SQLite file; the file of the checkpoints, so that one backup holds both.

    Safe for several threads and processes: ``begin`` is one ``INSERT OR IGNORE``, so two that begin the same call get
    one ``Begun`` between them.
    """

    def __init__(self, file: Path) -> None:
        self._lock = Lock()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=10)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(_SCHEMA)

    async def begin(self, *, thread: str, call_id: str, tool: str, args: Mapping[str, Any]) -> Entry:
        """Write that the call begins, or tell what is known of it already."""
        return await asyncio.to_thread(self._begin, thread, call_id, tool, args)

    async def finish(self, key: str, result: Mapping[str, Any]) -> None:
        """Write what the call gave; ``result`` is JSON data."""
        await asyncio.to_thread(self._finish, key, result)

    async def reopen(self, key: str) -> Begun:
        """Take a call that was left open as ours to run again, after a person or the policy said so."""
        await asyncio.to_thread(
            self._execute,
            "UPDATE bailiwick_calls SET begun_at = ? WHERE key = ? AND finished_at IS NULL",
            (time.time(), key),
        )
        return Begun(key=key)

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._database.close()

    def _begin(self, thread: str, call_id: str, tool: str, args: Mapping[str, Any]) -> Entry:
        key = f"{thread}:{call_id}"
        inserted = self._execute(
            "INSERT OR IGNORE INTO bailiwick_calls (key, thread, tool, args, begun_at) VALUES (?, ?, ?, ?, ?)",
            (key, thread, tool, json.dumps(args, sort_keys=True, default=str), time.time()),
        )
        if inserted:
            return Begun(key=key)
        with self._lock:
            row: tuple[float, str | None] = self._database.execute(
                "SELECT begun_at, result FROM bailiwick_calls WHERE key = ?", (key,)
            ).fetchone()
        begun_at, result = row
        return LeftOpen(key=key, begun_at=begun_at) if result is None else Finished(key=key, result=json.loads(result))

    def _finish(self, key: str, result: Mapping[str, Any]) -> None:
        self._execute(
            "UPDATE bailiwick_calls SET finished_at = ?, result = ? WHERE key = ? AND finished_at IS NULL",
            (time.time(), json.dumps(result, default=str), key),
        )

    def _execute(self, statement: str, values: tuple[Any, ...]) -> int:
        with self._lock:
            return self._database.execute(statement, values).rowcount
