"""Where a person opens the place that a passage is from."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

__all__ = ["link_to"]

WORDS = 6


def link_to(source: str, link: str, text: str, page: int | None, *, seen_from: Path) -> str:
    """An address with the page of a PDF, or with the passage's first words as a text fragment for a web page.

    Text fragments: https://wicg.github.io/scroll-to-text-fragment/. Empty: the source has no place of its own.
    """
    if not link:
        if "#" in source and ":" in source.partition("#")[0]:  # a record of an export: it has no file of its own
            return ""
        link = (seen_from / source).resolve().as_uri()
    if page is not None:
        return f"{link}#page={page}"
    if link == source and "#" not in link:  # a page; a record's link leads to where its words may look different
        words = text.split(maxsplit=WORDS)[:WORDS]
        return f"{link}#:~:text={quote(' '.join(words), safe='')}"
    return link
