"""What the rooms that keep something may ask of a database.

One dialect for both kinds: ``?`` for values, ``ON CONFLICT``, and the types TEXT, BIGINT and DOUBLE PRECISION. An ORM
would be more than a handful of statements needs, and would hide which of them are one durable step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

__all__ = ["Database", "Row"]

Row = tuple[Any, ...]


class Database(Protocol):
    """A connection that several threads may use. What ``execute`` wrote lasts once it has returned."""

    @property
    def kind(self) -> Literal["sqlite", "postgresql"]: ...

    @property
    def dsn(self) -> str:
        """What opens it once more: a file's path, or a connection string with its password."""
        ...

    @property
    def where(self) -> str:
        """Where it is, without a password, for messages and reports. Empty: in memory only."""
        ...

    def create(self, *schema: str) -> None:
        """Run ``CREATE … IF NOT EXISTS`` statements. Safe when several processes do it at once."""
        ...

    def execute(self, sql: str, values: Sequence[Any] = (), *, with_next: bool = False) -> int:
        """Run one statement in a transaction of its own, or of the one that is open; give how many rows it changed.

        ``with_next``: it need not last before the next write does, of this or any connection to the same database. It
        survives the end of the process all the same; a power cut may take it.
        """
        ...

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of ``rows``."""
        ...

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """What a query gives."""
        ...

    async def look(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """As ``rows``, from the event loop and without holding it up; never inside a transaction."""
        ...

    def transaction(self, *locks: str) -> AbstractContextManager[None]:
        """All or nothing, and alone among all processes that name one of ``locks``. SQLite: alone among all writers."""
        ...

    def take_hold(self, name: str) -> bool:
        """Whether ``name`` is ours now, until ``let_go`` or the end of this process, however it ends.

        Never waits. It is not ours when anyone has it, this process included.
        """
        ...

    def let_go(self, name: str) -> None: ...

    def close(self) -> None:
        """Close it. Safe to call twice."""
        ...
