"""The call ledger: which tool calls were begun and which came back, so that none with a side effect runs twice.

One row a call, ``thread:call_id``, written before the container is asked and again when it has answered, each in its
own durable transaction (``synchronous=FULL``). LangGraph writes a checkpoint only after a node has returned, so a
process killed between a tool's effect and that checkpoint would run the tool again; the ledger is what knows better.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bailiwick.database import Database, Row

__all__ = ["Begun", "CallLedger", "Entry", "Finished", "Happened", "LeftOpen"]


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


@dataclass(frozen=True, kw_only=True)
class Happened:
    """One call that came back, as later decisions need to know it."""

    tool: str
    args: Mapping[str, Any]
    ok: bool
    untrusted: bool
    """Whether it brought content from outside into the conversation."""
    result: Mapping[str, Any] | None = None
    """What was kept of it; None where it was not asked for."""


_SCHEMA = """
CREATE TABLE IF NOT EXISTS bailiwick_calls (
    key TEXT PRIMARY KEY, thread TEXT NOT NULL, tool TEXT NOT NULL, args TEXT NOT NULL,
    begun_at DOUBLE PRECISION NOT NULL, finished_at DOUBLE PRECISION, result TEXT, ok BIGINT, untrusted BIGINT,
    settled BIGINT NOT NULL DEFAULT 0
)
"""
_UNKNOWN = -1
"""In the column ``ok``: the call came back and nobody knows whether it had its effect."""
_INDEX = "CREATE INDEX IF NOT EXISTS bailiwick_calls_by_thread ON bailiwick_calls (thread, begun_at)"


class CallLedger:
    """The ledger in the database of the checkpoints, so that one backup holds both.

    Safe for several threads and processes: ``begin`` is one ``INSERT … ON CONFLICT DO NOTHING``, so two that begin the
    same call get one ``Begun`` between them.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        database.create(_SCHEMA, _INDEX)

    async def look(self, *, thread: str, call_id: str) -> Finished | LeftOpen | None:
        """What is known of a call; None: it was never begun."""
        key = f"{thread}:{call_id}"
        return _known(key, await self.database.look(_LOOK, (key,)))

    async def happened(self, thread: str, *, beside: str = "", results: bool = False) -> list[Happened]:
        """The calls of ``thread`` that came back, oldest first, without those whose ids begin with ``beside``.

        Calls of one message run side by side and must not see each other: what one of them may do would depend on
        which is faster, and would be another thing after a resume. An empty ``beside`` leaves out none.
        ``results`` brings what they gave, too.
        """
        rows = await self.database.look(
            f"SELECT key, tool, args, ok, untrusted, {'result' if results else 'NULL'} FROM bailiwick_calls"  # noqa: S608
            " WHERE thread = ? AND finished_at IS NOT NULL ORDER BY begun_at",
            (thread,),
        )
        return [
            Happened(
                tool=tool,
                args=json.loads(args),
                ok=ok == 1,
                untrusted=bool(untrusted),
                result=None if result is None else json.loads(result),
            )
            for key, tool, args, ok, untrusted, result in rows
            if not beside or not key.startswith(f"{thread}:{beside}")
        ]

    async def begin(self, *, thread: str, call_id: str, tool: str, args: Mapping[str, Any]) -> Entry:
        """Write that the call begins, or tell what is known of it already."""
        return await asyncio.to_thread(self._begin, thread, call_id, tool, args)

    async def finish(self, key: str, result: Mapping[str, Any], *, ok: bool | None, untrusted: bool) -> None:
        """Write what the call gave; ``result`` is JSON data. ``ok`` None: nobody knows whether it had its effect.

        It lasts from the next write to the database on, which the checkpoint that holds the call's message is: a power
        cut between the two leaves the call open, as one before both would.
        """
        await asyncio.to_thread(
            self.database.execute,
            "UPDATE bailiwick_calls SET finished_at = ?, result = ?, ok = ?, untrusted = ?"
            " WHERE key = ? AND finished_at IS NULL",
            (time.time(), json.dumps(result, default=str), _UNKNOWN if ok is None else int(ok), int(untrusted), key),
            with_next=True,
        )

    async def keep(
        self,
        result: Mapping[str, Any],
        *,
        thread: str,
        call_id: str,
        tool: str,
        args: Mapping[str, Any],
        begun_at: float,
        ok: bool,
        untrusted: bool,
    ) -> None:
        """Write what a call gave that was not begun here: a read, which may run again where this is lost."""
        text = json.dumps(args, sort_keys=True, default=str)
        told = (time.time(), json.dumps(result, default=str), int(ok), int(untrusted))
        await asyncio.to_thread(
            self.database.execute,
            "INSERT INTO bailiwick_calls (key, thread, tool, args, begun_at, finished_at, result, ok, untrusted)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET finished_at = excluded.finished_at,"
            " result = excluded.result, ok = excluded.ok, untrusted = excluded.untrusted"
            " WHERE bailiwick_calls.finished_at IS NULL",
            (f"{thread}:{call_id}", thread, tool, text, begun_at, *told),
            with_next=True,
        )

    async def unsettled(self, thread: str, tool: str, *, beside: str = "") -> LeftOpen | None:
        """The earliest call of ``tool`` in ``thread`` of unknown outcome that was not settled; else None.

        ``beside`` as in ``happened``: a sibling that is still running has not been lost.
        """
        rows = await self.database.look(
            "SELECT key, begun_at FROM bailiwick_calls"
            " WHERE thread = ? AND tool = ? AND (finished_at IS NULL OR ok = ?) AND settled = 0 ORDER BY begun_at",
            (thread, tool, _UNKNOWN),
        )
        for key, begun_at in rows:
            if not beside or not key.startswith(f"{thread}:{beside}"):
                return LeftOpen(key=key, begun_at=begun_at)
        return None

    async def settle(self, key: str) -> None:
        """A person has looked: nobody needs to be asked again whether this call had its effect. It is not finished."""
        await asyncio.to_thread(self.database.execute, "UPDATE bailiwick_calls SET settled = 1 WHERE key = ?", (key,))

    async def reopen(self, key: str) -> Begun:
        """Take a call that was left open as ours to run again, after a person or the policy said so."""
        await asyncio.to_thread(
            self.database.execute,
            "UPDATE bailiwick_calls SET begun_at = ? WHERE key = ? AND finished_at IS NULL",
            (time.time(), key),
        )
        return Begun(key=key)

    def _begin(self, thread: str, call_id: str, tool: str, args: Mapping[str, Any]) -> Entry:
        key = f"{thread}:{call_id}"
        inserted = self.database.execute(
            "INSERT INTO bailiwick_calls (key, thread, tool, args, begun_at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (key) DO NOTHING",
            (key, thread, tool, json.dumps(args, sort_keys=True, default=str), time.time()),
        )
        if inserted:
            return Begun(key=key)
        known = _known(key, self.database.rows(_LOOK, (key,)))
        assert known is not None, "rows are never deleted"
        return known


_LOOK = "SELECT begun_at, result FROM bailiwick_calls WHERE key = ?"


def _known(key: str, rows: Sequence[Row]) -> Finished | LeftOpen | None:
    if not rows:
        return None
    begun_at, result = rows[0]
    return LeftOpen(key=key, begun_at=begun_at) if result is None else Finished(key=key, result=json.loads(result))
