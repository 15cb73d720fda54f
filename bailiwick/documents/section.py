"""A parsed document: pieces that hold together, each with its place."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Fact", "Section"]

Fact = str | int | float | bool | list[str]
"""What a document says about itself, to filter a search by; a list: any of these."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """What lies under one heading, on one page or in one row. Never empty."""

    text: str
    start: int
    """Where ``text`` begins in the text of the document, or of its page."""
    heading: str = ""
    """Headings above it, outermost first, joined by `` › ``."""
    page: int | None = None
    row: int | None = None
