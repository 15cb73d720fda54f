"""PostgreSQL: the same statements, over a pool of connections."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import RLock
from typing import Any, Literal, LiteralString, cast

from psycopg import Connection, Error, OperationalError
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from bailiwick.database.protocol import Row
from bailiwick.errors import ConfigError

__all__ = ["PostgresqlDatabase"]

CONNECT_SECONDS = 10.0
CONNECTIONS = 8
_CREATING = 0x6261696C
"""The advisory lock under which tables are made: ``CREATE … IF NOT EXISTS`` of two at once fails in one of them."""

_open: ContextVar[Connection[Row] | None] = ContextVar("bailiwick_transaction", default=None)


class PostgresqlDatabase:
    """``dsn`` is a libpq connection string or URL. Raises ConfigError when no server answers there."""

    kind: Literal["postgresql"] = "postgresql"

    def __init__(self, dsn: str) -> None:
        named = {key: value for key, value in conninfo_to_dict(dsn).items() if key in ("host", "port", "dbname")}
        self.where = "postgresql " + " ".join(f"{key}={value}" for key, value in named.items())
        self.dsn = dsn
        self._pool: ConnectionPool[Connection[Row]] = ConnectionPool(
            dsn,
            min_size=1,
            max_size=CONNECTIONS,
            timeout=CONNECT_SECONDS,
            # A server that was restarted leaves connections that only look alive.
            check=ConnectionPool.check_connection,
            kwargs={"autocommit": True},
            open=False,
        )
        try:
            self._pool.open(wait=True, timeout=CONNECT_SECONDS)
        except (PoolTimeout, Error) as error:
            self._pool.close()
            raise ConfigError(
                f"the database cannot be reached: {self.where}",
                key="BAILIWICK_DATABASE",
                fix="start the server, or correct host, port, user and database name in the setting",
            ) from error
        self._holding = RLock()
        self._held: set[str] = set()
        self._holder: Connection[Row] | None = None

    def create(self, *schema: str) -> None:
        with self._pool.connection() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CREATING,))
            for statement in schema:
                connection.execute(_dialect(statement))

    def execute(self, sql: str, values: Sequence[Any] = (), *, with_next: bool = False) -> int:
        with self._connection() as connection:
            return connection.execute(_dialect(sql), _sound(values)).rowcount

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._connection() as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(_dialect(sql), [_sound(row) for row in rows])

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._connection() as connection:
            return connection.execute(_dialect(sql), _sound(values)).fetchall()

    async def look(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        return await asyncio.to_thread(self.rows, sql, values)

    @contextmanager
    def transaction(self, *locks: str) -> Generator[None]:
        with self._pool.connection() as connection, connection.transaction():
            for name in sorted(set(locks)):  # in one order, so that two never wait for each other
                connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", (_sound_text(name),))
            token = _open.set(connection)
            try:
                yield
            finally:
                _open.reset(token)

    def take_hold(self, name: str) -> bool:
        # A session's advisory locks are the server's to take back when the session ends. One session has them all, and
        # takes its own ones twice without a word, so who has what in this process is counted here.
        with self._holding:
            if name in self._held or not self._lock(name):
                return False
            self._held.add(name)
            return True

    def let_go(self, name: str) -> None:
        with self._holding:
            if name not in self._held:
                return
            self._held.discard(name)
            try:
                if self._holder is not None:
                    self._holder.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 2))", (_sound_text(name),))
            except OperationalError:
                self._holder = None  # with the session its locks are gone

    def close(self) -> None:
        with self._holding:
            self._held.clear()
            if self._holder is not None:
                self._holder.close()
                self._holder = None
        self._pool.close()

    def _lock(self, name: str) -> bool:
        for fresh in (False, True):
            if self._holder is None or self._holder.closed or fresh:
                self._holder = Connection.connect(self.dsn, autocommit=True)
                for held in self._held:  # lost with the session before; another may have been faster
                    self._try(self._holder, held)
            try:
                return self._try(self._holder, name)
            except OperationalError:
                if fresh:
                    raise
        raise AssertionError("unreachable: the second try returns or raises")

    def _try(self, holder: Connection[Row], name: str) -> bool:
        row = holder.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 2))", (_sound_text(name),)).fetchone()
        return row is not None and bool(row[0])

    @contextmanager
    def _connection(self) -> Generator[Connection[Row]]:
        if (inside := _open.get()) is not None:
            yield inside
            return
        with self._pool.connection() as connection:
            yield connection


def _dialect(sql: str) -> LiteralString:
    return cast("LiteralString", sql.replace("%", "%%").replace("?", "%s").replace("WITHOUT ROWID", ""))


def _sound(values: Sequence[Any]) -> list[Any]:
    return [_sound_text(value) if isinstance(value, str) else value for value in values]


def _sound_text(text: str) -> str:
    # PostgreSQL takes neither NUL nor half a surrogate pair, and ids of calls come from models.
    return text.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
