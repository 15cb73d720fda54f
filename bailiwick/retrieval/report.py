"""What an ingestion did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["DeadLetter", "IngestReport"]


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A document that could not be taken in. What was known of it before is kept."""

    source: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """An ingestion that came to its end. Counts are passages."""

    added: int
    unchanged: int
    removed: int
    dead_letters: Sequence[DeadLetter] = ()
    held_back: Sequence[str] = ()
    """Documents that are gone from their folder and whose passages were kept, since too many are gone at once."""
    skipped: Sequence[str] = ()
    """Files of a folder that are no documents (pictures, say)."""
    seconds: float = 0.0
