"""SQLite in a file, shared with LangGraph's checkpoints, so that one copy of it holds both."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from bailiwick.database.file_holds import FileHolds
from bailiwick.database.protocol import Row

__all__ = ["SqliteDatabase"]

BUSY_SECONDS = 10.0


class SqliteDatabase:
    """``file`` None: in memory, for the life of this object."""

    kind: Literal["sqlite"] = "sqlite"

    def __init__(self, file: Path | None) -> None:
        self.file = file
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = RLock()
        self._database = _connect(file)
        # In WAL mode who reads waits for no writer, so that a look from the event loop takes microseconds where a
        # thread for it would take ten times that.
        self._reading = self._database if file is None else _connect(file)
        self._reading_lock = self._lock if file is None else RLock()
        self._holds = FileHolds(None if file is None else file.with_name(f"{file.name}-holds"))

    @property
    def dsn(self) -> str:
        return str(self.file or ":memory:")

    @property
    def where(self) -> str:
        return "" if self.file is None else str(self.file)

    def create(self, *schema: str) -> None:
        with self._lock:
            for statement in schema:
                self._database.execute(statement)

    def execute(self, sql: str, values: Sequence[Any] = (), *, with_next: bool = False) -> int:
        with self._lock:
            if not with_next or self._database.in_transaction:
                return self._database.execute(sql, values).rowcount
            # A commit of FULL syncs the whole write-ahead log, what was written before it included.
            self._database.execute("PRAGMA synchronous=NORMAL")
            try:
                return self._database.execute(sql, values).rowcount
            finally:
                self._database.execute("PRAGMA synchronous=FULL")

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._lock:
            self._database.executemany(sql, rows)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._lock:
            return self._database.execute(sql, values).fetchall()

    async def look(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._reading_lock:
            return self._reading.execute(sql, values).fetchall()

    @contextmanager
    def transaction(self, *locks: str) -> Generator[None]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def take_hold(self, name: str) -> bool:
        return self._holds.take(name)

    def let_go(self, name: str) -> None:
        self._holds.let_go(name)

    def close(self) -> None:
        with self._lock, self._reading_lock:
            self._database.close()
            self._reading.close()
        self._holds.close()


def _connect(file: Path | None) -> sqlite3.Connection:
    database = sqlite3.connect(file or ":memory:", isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    return database
