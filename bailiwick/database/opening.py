"""From the one setting to a database."""

from __future__ import annotations

import os
from pathlib import Path

from bailiwick.database.protocol import Database
from bailiwick.database.sqlite import SqliteDatabase
from bailiwick.errors import ConfigError

__all__ = ["database_setting", "open_database"]

SETTING = "BAILIWICK_DATABASE"


def database_setting() -> str | None:
    """What ``BAILIWICK_DATABASE`` names; None: the project's own SQLite file."""
    return os.environ.get(SETTING, "").strip() or None


def open_database(where: Path | str | None) -> Database:
    """``postgresql://…`` is a server, anything else a SQLite file; None is in memory, for the life of the object.

    Raises ConfigError for another scheme, for a missing driver and for a server that cannot be reached.
    """
    if isinstance(where, str) and "://" in where:
        scheme = where.split("://", 1)[0]
        if scheme not in ("postgresql", "postgres"):
            raise ConfigError(
                f"there is no database {scheme}:// (SQLite is a path, PostgreSQL is postgresql://…)",
                key=SETTING,
                fix="name a file, or postgresql://user@host/database, or unset it for the project's own file",
            )
        try:
            from bailiwick.database.postgresql import PostgresqlDatabase  # an extra: its driver may not be installed
        except ImportError as error:
            raise ConfigError(
                f"PostgreSQL needs a driver that is not installed: {error}",
                key=SETTING,
                fix='uv pip install "bailiwick[postgresql]"',
            ) from error
        return PostgresqlDatabase(where)
    return SqliteDatabase(None if where is None else Path(where))
