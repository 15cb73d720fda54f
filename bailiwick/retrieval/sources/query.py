"""Rows of a SQL query as documents, from SQLite or PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from bailiwick.documents import Fact
from bailiwick.errors import ConfigError, DocumentError
from bailiwick.retrieval.sources.columns import Columns, record_item
from bailiwick.retrieval.sources.item import Item

__all__ = ["Query"]

ROWS_AT_ONCE = 500


class Query:
    """Each row is a document, told by ``columns``. Nothing is written to the database.

    ``database``: ``sqlite:///PATH``, ``postgresql://…``, or the name of an environment variable that holds one of
    these, so that no password stands in a file.
    """

    folder = None
    complete = True
    count: int | None = None
    skipped: Sequence[str] = ()

    def __init__(
        self,
        database: str,
        query: str,
        columns: Columns,
        *,
        name: str,
        said_in: Path,
        facts: Mapping[str, Fact] | None = None,
    ) -> None:
        self.name = name
        self.scope = f"sql:{name}"
        self._database = database
        self._query = query
        self._columns = columns
        self._said_in = said_in
        self._facts = {"kind": "row", **(facts or {})}

    def items(self) -> Iterator[Item]:
        address = self._database if "://" in self._database else os.environ.get(self._database, "")
        match address.split("://", 1)[0]:
            case "sqlite":
                rows = self._from_sqlite(Path(address.removeprefix("sqlite:///")))
            case "postgresql" | "postgres":
                rows = self._from_postgresql(address)
            case _:
                raise self._wrong(
                    f"{self._database!r} is neither an address (sqlite:///…, postgresql://…) nor the name of an"
                    " environment variable that holds one"
                )
        for number, row in enumerate(rows, start=1):
            if number == 1 and (column := self._columns.missing(row)):
                raise self._wrong(f"the query gives no column {column!r} (it gives: {', '.join(row)})", key="columns")
            yield record_item(row, self._columns, scope=self.scope, name=self.name, facts=self._facts)

    def _wrong(self, what: str, key: str = "database") -> ConfigError:
        return ConfigError(what, file=self._said_in, key=key, fix="correct it")

    def _from_sqlite(self, given: Path) -> Iterator[Mapping[str, Any]]:
        file = (self._said_in.parent / given).resolve()
        if not file.is_file():
            raise self._wrong(f"there is no database {given}")
        try:
            with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)) as database:
                database.row_factory = sqlite3.Row
                for row in database.execute(self._query):
                    yield dict(row)
        except sqlite3.Error as error:
            raise DocumentError(f"the query fails: {error}") from error

    def _from_postgresql(self, address: str) -> Iterator[Mapping[str, Any]]:
        try:
            import psycopg
            from psycopg.rows import dict_row
        except ImportError as error:
            raise self._wrong("PostgreSQL needs psycopg: pip install 'bailiwick[postgresql]'") from error
        try:
            with psycopg.connect(address, connect_timeout=10) as database:
                database.read_only = True
                # On the server's side, so that a large table does not come at once.
                with database.cursor("bailiwick_ingest", row_factory=dict_row) as cursor:
                    cursor.itersize = ROWS_AT_ONCE
                    yield from cursor.execute(self._query.encode())
        except psycopg.Error as error:
            raise DocumentError(f"the query fails: {str(error).splitlines()[0] if str(error) else error!r}") from error
