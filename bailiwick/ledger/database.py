"""The SQLite file that the ledger's tables share with the checkpoints."""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["open_database"]


def open_database(file: Path | None, *schema: str) -> sqlite3.Connection:
    """A connection for several threads, whose writes last once they return. ``file`` None: in memory only."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(file or ":memory:", isolation_level=None, check_same_thread=False, timeout=10)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    for statement in schema:
        database.execute(statement)
    return database
