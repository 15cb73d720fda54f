"""Which questions were put to a person, and when: what makes an answer count for one question and for a time.

LangGraph gives a resumed node the answers it was given, by position only. A resume that names no interrupt may hand an
answer to another call than the one it was meant for, and a policy that changed in between may ask something else at
the same position. So a question is written down before it is put, and an answer to one that was never put is not taken.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bailiwick.database import Database

__all__ = ["Answered", "Asked", "Questions"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bailiwick_questions (
    question TEXT PRIMARY KEY, asked_at DOUBLE PRECISION NOT NULL, passed_over BIGINT NOT NULL
) WITHOUT ROWID
"""
_ANSWERS = """
CREATE TABLE IF NOT EXISTS bailiwick_answers (
    question TEXT PRIMARY KEY, decision TEXT NOT NULL, who TEXT NOT NULL, message TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL
) WITHOUT ROWID
"""

_VOUCHED = """
CREATE TABLE IF NOT EXISTS bailiwick_vouched (
    thread TEXT NOT NULL, tool TEXT NOT NULL, rule TEXT NOT NULL, arg TEXT NOT NULL, question TEXT NOT NULL,
    vals TEXT NOT NULL, until DOUBLE PRECISION NOT NULL, PRIMARY KEY (thread, tool, rule, arg, question)
) WITHOUT ROWID
"""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question that was put. ``passed_over``: answers to other questions that came before its own."""

    at: float
    """Seconds since the epoch."""
    passed_over: int


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a person said to a question. Empty ``who``: the application did not say."""

    decision: str
    who: str
    message: str
    at: float
    """Seconds since the epoch, of when it was first read."""


class Questions:
    """The questions in the ledger's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_SCHEMA, _ANSWERS, _VOUCHED)

    async def find(self, question: str) -> Asked | None:
        """When ``question`` was put; None: never."""
        rows = await self._database.look(
            "SELECT asked_at, passed_over FROM bailiwick_questions WHERE question = ?", (question,)
        )
        return Asked(at=rows[0][0], passed_over=rows[0][1]) if rows else None

    async def put(self, question: str, *, passed_over: int = 0) -> None:
        """Write that ``question`` is being put now, behind ``passed_over`` answers that belong to others."""
        await asyncio.to_thread(
            self._database.execute,
            "INSERT INTO bailiwick_questions VALUES (?, ?, ?) ON CONFLICT (question)"
            " DO UPDATE SET asked_at = excluded.asked_at, passed_over = excluded.passed_over",
            (question, time.time(), passed_over),
        )

    async def answer(self, question: str, *, decision: str, who: str, message: str) -> Answered:
        """Keep who answered ``question`` how, and when. An answer that is kept already stays as it is."""
        return await asyncio.to_thread(self._answer, question, decision, who, message)

    async def vouch(
        self, question: str, *, thread: str, tool: str, rule: str, values: Mapping[str, Sequence[Any]], seconds: float
    ) -> None:
        """Keep which values, by argument, the yes to ``question`` makes good for other calls, for ``seconds``.

        Kept once: the same answer that is read again after a restart makes nothing last longer.
        """
        until = time.time() + seconds
        rows = [(thread, tool, rule, arg, question, json.dumps(list(each)), until) for arg, each in values.items()]
        await asyncio.to_thread(
            self._database.execute_many,
            "INSERT INTO bailiwick_vouched VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            rows,
        )

    async def vouched(self, *, thread: str, tool: str) -> dict[tuple[str, str], list[Any]]:
        """The values that people have vouched for and still do, by rule and argument."""
        rows = await self._database.look(
            "SELECT rule, arg, vals FROM bailiwick_vouched WHERE thread = ? AND tool = ? AND until > ?",
            (thread, tool, time.time()),
        )
        found: dict[tuple[str, str], list[Any]] = {}
        for rule, arg, values in rows:
            found.setdefault((rule, arg), []).extend(json.loads(values))
        return found

    def _answer(self, question: str, decision: str, who: str, message: str) -> Answered:
        self._database.execute(
            "INSERT INTO bailiwick_answers VALUES (?, ?, ?, ?, ?) ON CONFLICT (question) DO NOTHING",
            (question, decision, who, message, time.time()),
        )
        ((decision, who, message, at),) = self._database.rows(
            "SELECT decision, who, message, at FROM bailiwick_answers WHERE question = ?", (question,)
        )
        return Answered(decision=decision, who=who, message=message, at=at)
