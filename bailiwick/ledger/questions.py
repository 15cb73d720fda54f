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
from pathlib import Path
from threading import Lock
from typing import Any

from bailiwick.ledger.database import open_database

__all__ = ["Answered", "Asked", "Questions"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bailiwick_questions (
    question TEXT PRIMARY KEY, asked_at REAL NOT NULL, passed_over INTEGER NOT NULL
) WITHOUT ROWID
"""
_ANSWERS = """
CREATE TABLE IF NOT EXISTS bailiwick_answers (
    question TEXT PRIMARY KEY, decision TEXT NOT NULL, who TEXT NOT NULL, message TEXT NOT NULL, at REAL NOT NULL
) WITHOUT ROWID
"""

_VOUCHED = """
CREATE TABLE IF NOT EXISTS bailiwick_vouched (
    thread TEXT NOT NULL, tool TEXT NOT NULL, rule TEXT NOT NULL, arg TEXT NOT NULL, question TEXT NOT NULL,
    vals TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (thread, tool, rule, arg, question)
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
    """The questions in the ledger's SQLite file; ``file`` None keeps them for the life of this object only."""

    def __init__(self, file: Path | None) -> None:
        self._lock = Lock()
        self._database = open_database(file, _SCHEMA, _ANSWERS, _VOUCHED)

    async def find(self, question: str) -> Asked | None:
        """When ``question`` was put; None: never."""
        return await asyncio.to_thread(self._find, question)

    async def put(self, question: str, *, passed_over: int = 0) -> None:
        """Write that ``question`` is being put now, behind ``passed_over`` answers that belong to others."""
        await asyncio.to_thread(self._put, question, passed_over)

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
        await asyncio.to_thread(self._vouch, rows)

    async def vouched(self, *, thread: str, tool: str) -> dict[tuple[str, str], list[Any]]:
        """The values that people have vouched for and still do, by rule and argument."""
        return await asyncio.to_thread(self._vouched, thread, tool)

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._database.close()

    def _find(self, question: str) -> Asked | None:
        with self._lock:
            row: tuple[float, int] | None = self._database.execute(
                "SELECT asked_at, passed_over FROM bailiwick_questions WHERE question = ?", (question,)
            ).fetchone()
        return None if row is None else Asked(at=row[0], passed_over=row[1])

    def _put(self, question: str, passed_over: int) -> None:
        with self._lock:
            self._database.execute(
                "INSERT OR REPLACE INTO bailiwick_questions VALUES (?, ?, ?)", (question, time.time(), passed_over)
            )

    def _answer(self, question: str, decision: str, who: str, message: str) -> Answered:
        with self._lock:
            self._database.execute(
                "INSERT OR IGNORE INTO bailiwick_answers VALUES (?, ?, ?, ?, ?)",
                (question, decision, who, message, time.time()),
            )
            row: tuple[str, str, str, float] = self._database.execute(
                "SELECT decision, who, message, at FROM bailiwick_answers WHERE question = ?", (question,)
            ).fetchone()
        return Answered(decision=row[0], who=row[1], message=row[2], at=row[3])

    def _vouch(self, rows: Sequence[tuple[str, str, str, str, str, str, float]]) -> None:
        with self._lock:
            self._database.executemany("INSERT OR IGNORE INTO bailiwick_vouched VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _vouched(self, thread: str, tool: str) -> dict[tuple[str, str], list[Any]]:
        with self._lock:
            rows: list[tuple[str, str, str]] = self._database.execute(
                "SELECT rule, arg, vals FROM bailiwick_vouched WHERE thread = ? AND tool = ? AND until > ?",
                (thread, tool, time.time()),
            ).fetchall()
        found: dict[tuple[str, str], list[Any]] = {}
        for rule, arg, values in rows:
            found.setdefault((rule, arg), []).extend(json.loads(values))
        return found
