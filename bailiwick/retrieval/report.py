"""What an ingestion did, and what it says while it is at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["DeadLetter", "IngestProgress", "IngestReport"]


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A document that could not be taken in, or a passage of it. What was known of it before is kept."""

    source: str
    reason: str
    passage: str = ""
    """The id of the passage that the embedder refused, which is found by its words alone. Empty: all of it."""
    at: float = 0.0
    """Seconds since 1970; 0 in a report, which is of now."""
    key: str = ""
    """What the store knows it as."""


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """An ingestion that came to its end. Counts are passages."""

    added: int
    unchanged: int
    removed: int
    dead_letters: Sequence[DeadLetter] = ()
    held_back: Sequence[str] = ()
    """Documents that are gone from their source and whose passages were kept, since too many are gone at once."""
    skipped: Sequence[str] = ()
    """Files of a folder that are no documents (pictures, say)."""
    embedded: int = 0
    """Texts that the embedder was asked for; the others' vectors were known."""
    behind: Sequence[str] = ()
    """Standby servers that could not be brought up to date. The next ingestion does."""
    seconds: float = 0.0
    dry_run: bool = False
    """Whether nothing was written, and the counts are what would have been."""


@dataclass(frozen=True, kw_only=True)
class IngestProgress:
    """How far an ingestion is. ``str`` gives it in one line."""

    stage: Literal["reading", "embedding", "writing"]
    done: int
    total: int | None
    """None: nobody knows yet (a query, an archive)."""
    name: str = ""
    """The document that is being read."""
    per_second: float = 0.0
    seconds_left: float | None = None
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total}"
        match self.stage:
            case "reading":
                return f"reading {self.done}{of}: {self.name}"
            case "embedding":
                return f"embedding {self.done}{of} passages"
            case "writing":
                return f"writing {self.done}{of} vectors"
