"""HTML pages: what a reader sees, as markdown."""

from __future__ import annotations

import re
from typing import Any, cast

from bailiwick.documents.markdown_sections import markdown_sections
from bailiwick.documents.section import Section

__all__ = ["html_sections"]

_UNSEEN = (
    "script", "style", "template", "noscript", "iframe", "object", "svg", "canvas", "form", "button", "nav", "head",
    "footer",
)  # fmt: skip
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)


def html_sections(page: str) -> list[Section]:
    """The sections of a page without scripts, styles, navigation, comments and what is hidden from its readers.

    Offsets are those of the text that is left, in markdown.
    """
    from bs4 import BeautifulSoup, Comment
    from markdownify import markdownify

    soup = BeautifulSoup(page, "lxml")
    for tag in soup(_UNSEEN):
        tag.decompose()
    for tag in soup.find_all(_is_hidden):
        tag.decompose()
    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    to_markdown = cast("Any", markdownify)
    text: str = to_markdown(str(soup), heading_style="ATX", strip=["a", "img"], escape_misc=False)
    return markdown_sections(re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip() + "\n")


def _is_hidden(tag: Any) -> bool:
    """Text that no reader sees is a favourite place for orders to a model."""
    return tag.has_attr("hidden") or tag.get("aria-hidden") == "true" or bool(_HIDDEN.search(tag.get("style") or ""))
