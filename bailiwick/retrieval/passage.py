"""What a search gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Found", "Mode", "Passage"]

Mode = Literal["hybrid", "keyword-only", "vector-only", "cached", "none"]
"""Which indexes answered in time; ``cached``: neither, and this is the last good answer to the same question; ``none``:
there is nothing to search."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A piece of a document that a search found, with what is needed to find it again there."""

    id: str
    source: str
    """The document's name below the folder that was ingested."""
    text: str
    citation: str
    """For people: ``manual.pdf, page 2``, ``shipping.md, Delivery times``, ``products.csv, row 3``."""
    heading: str
    """The headings above it, joined by `` › ``. Empty: there are none."""
    page: int | None
    """Counted from 1. None: the document has no pages."""
    row: int | None
    """The row of a table, counted from 1 without its header. None: it is no table."""
    start: int
    """Where it begins, in characters of the document's text (of a PDF: of that page's text)."""
    end: int
    content_hash: str
    """SHA-256 of ``text``: whether what is cited still says the same."""
    score: float
    """How well it fits, from its ranks and scores in both indexes. Only comparable within one search."""
    link: str = ""
    """Where a person opens it: the file, with the page of a PDF; the web page, at these words. Empty: nowhere."""
    also: Sequence[str] = ()
    """Citations of passages that say the same and were left out for it."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The passages of one search, best first. Empty: nothing was found. Not ``relevant``: nothing that fits."""

    passages: Sequence[Passage]
    mode: Mode
    degraded: Sequence[str] = ()
    """Why an index is missing from the result. Empty: both answered."""
    relevant: bool = False
    """Whether the passages speak of what was asked; with False they are the nearest there are, and beside the point."""
