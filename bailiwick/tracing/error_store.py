"""The error paths a project has seen, in one SQLite file, and the annotations that Phoenix has yet to be told.

Several threads and processes may use it: whether a path is new is decided by one ``INSERT … ON CONFLICT``, so of two
that see the same path first exactly one is told ``new``.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal, cast

from bailiwick.tracing.error_path import ErrorPath

__all__ = ["ErrorStore", "KnownPath", "PathState", "PendingAnnotation"]

PathState = Literal["new", "known", "resolved", "regressed"]
"""First seen now · seen before · said to be mended · seen again after it was said to be mended."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS error_paths (
    fingerprint TEXT PRIMARY KEY, agent TEXT NOT NULL, node TEXT NOT NULL, tool TEXT NOT NULL,
    error_type TEXT NOT NULL, exit_cause TEXT NOT NULL, outcome TEXT NOT NULL, state TEXT NOT NULL,
    first_seen REAL NOT NULL, last_seen REAL NOT NULL, count INTEGER NOT NULL, message TEXT NOT NULL,
    first_trace_id TEXT NOT NULL, first_span_id TEXT NOT NULL, trace_id TEXT NOT NULL, span_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending_annotations (
    fingerprint TEXT NOT NULL, span_id TEXT NOT NULL, label TEXT NOT NULL, explanation TEXT NOT NULL,
    since REAL NOT NULL, PRIMARY KEY (span_id, fingerprint)
) WITHOUT ROWID;
PRAGMA user_version = 1;
"""

_SAW = """
INSERT INTO error_paths (fingerprint, agent, node, tool, error_type, exit_cause, outcome, state,
    first_seen, last_seen, count, message, first_trace_id, first_span_id, trace_id, span_id)
VALUES (:fingerprint, :agent, :node, :tool, :error_type, :exit_cause, :outcome, 'new',
    :now, :now, 1, :message, :trace_id, :span_id, :trace_id, :span_id)
ON CONFLICT (fingerprint) DO UPDATE SET
    state = CASE state WHEN 'resolved' THEN 'regressed' ELSE 'known' END,
    last_seen = :now, count = count + 1, message = :message, trace_id = :trace_id, span_id = :span_id
RETURNING state
"""

_COLUMNS = (
    "agent, node, tool, error_type, exit_cause, outcome, state, first_seen, last_seen, count, message,"
    " first_trace_id, first_span_id, trace_id, span_id"
)


@dataclass(frozen=True, kw_only=True)
class KnownPath:
    """A path with what is known of it. Times are seconds since the epoch; span ids are those of an example."""

    path: ErrorPath
    state: PathState
    first_seen: float
    last_seen: float
    count: int
    message: str
    """What was said the last time, redacted and cut."""
    first_trace_id: str
    first_span_id: str
    trace_id: str
    span_id: str
    """The last time it was seen."""


@dataclass(frozen=True, kw_only=True)
class PendingAnnotation:
    """An annotation that Phoenix does not have yet. ``since`` is seconds since the epoch."""

    fingerprint: str
    span_id: str
    label: str
    explanation: str
    since: float


class ErrorStore:
    """The store in one file. Raises ``sqlite3.Error`` where the file cannot be read or written."""

    def __init__(self, file: Path) -> None:
        self._lock = Lock()
        file.parent.mkdir(parents=True, exist_ok=True)
        # A short wait: whoever sees an error path is in the middle of a turn.
        self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=0.5)
        self._database.execute("PRAGMA journal_mode=WAL")
        # Losing the last sighting to a power cut is no harm; waiting for the disk in a turn is.
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)

    def saw(self, path: ErrorPath, *, message: str, trace_id: str, span_id: str, annotate: bool) -> PathState:
        """Count a sighting of ``path`` and say what it is; with ``annotate``, Phoenix is to be told of a new one."""
        values: dict[str, Any] = {
            **{name: getattr(path, name) for name in ErrorPath.__dataclass_fields__},
            "fingerprint": path.fingerprint,
            "now": time.time(),
            "message": message,
            "trace_id": trace_id,
            "span_id": span_id,
        }
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            state = cast("PathState", self._database.execute(_SAW, values).fetchall()[0][0])
            if annotate and state in ("new", "regressed"):
                self._database.execute(
                    "INSERT OR REPLACE INTO pending_annotations VALUES (?, ?, ?, ?, ?)",
                    (path.fingerprint, span_id, state, path.text, time.time()),
                )
        return state

    def paths(self) -> list[KnownPath]:
        """Every path, the last seen first. Empty: nothing has ever gone wrong."""
        return [_known(row) for row in self._query(f"SELECT {_COLUMNS} FROM error_paths ORDER BY last_seen DESC")]  # noqa: S608

    def path(self, fingerprint: str) -> KnownPath | None:
        """The path of that fingerprint, or None."""
        rows = self._query(f"SELECT {_COLUMNS} FROM error_paths WHERE fingerprint = ?", (fingerprint,))  # noqa: S608
        return _known(rows[0]) if rows else None

    def resolve(self, fingerprint: str) -> bool:
        """Say that a path is mended; when it is seen again it has regressed. False: there is no such path."""
        with self._lock:
            changed = self._database.execute(
                "UPDATE error_paths SET state = 'resolved' WHERE fingerprint = ?", (fingerprint,)
            )
            return changed.rowcount > 0

    def pending(self) -> list[PendingAnnotation]:
        """Annotations that Phoenix does not have yet, the oldest first."""
        rows = self._query(
            "SELECT fingerprint, span_id, label, explanation, since FROM pending_annotations ORDER BY since LIMIT 200"
        )
        return [
            PendingAnnotation(fingerprint=row[0], span_id=row[1], label=row[2], explanation=row[3], since=row[4])
            for row in rows
        ]

    def settled(self, annotation: PendingAnnotation) -> None:
        """Phoenix has it, or never will."""
        with self._lock:
            self._database.execute(
                "DELETE FROM pending_annotations WHERE span_id = ? AND fingerprint = ?",
                (annotation.span_id, annotation.fingerprint),
            )

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._database.close()

    def _query(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()


def _known(row: Sequence[Any]) -> KnownPath:
    agent, node, tool, error_type, exit_cause, outcome = row[:6]
    return KnownPath(
        path=ErrorPath(
            agent=agent, node=node, tool=tool, error_type=error_type, exit_cause=exit_cause, outcome=outcome
        ),
        state=row[6],
        first_seen=row[7],
        last_seen=row[8],
        count=row[9],
        message=row[10],
        first_trace_id=row[11],
        first_span_id=row[12],
        trace_id=row[13],
        span_id=row[14],
    )
