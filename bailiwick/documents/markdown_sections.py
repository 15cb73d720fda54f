"""Markdown, cut at its headings.

Written here because langchain-text-splitters' header splitter does not say where a section stood in the file. Offsets
count in the file as it is; only a line end inside a paragraph has become a space, for a sentence goes on over it.
"""

from __future__ import annotations

import re

from bailiwick.documents.section import Section

__all__ = ["markdown_sections"]

_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.+?)(?:\s+#+)?\s*$")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
_SOFT_END = re.compile(r"(?<=[^\n|])\n(?=[ \t]*[^\s|#>*+\-`~\d])")
"""A line end with text before and behind it that begins no list, table, quote, heading or fence."""
_MARKUP = re.compile(r"[*_`]")


def markdown_sections(text: str) -> list[Section]:
    """What stands under each heading, with the path of headings above it. A heading over nothing gives no section."""
    sections: list[Section] = []
    path: list[tuple[int, str]] = []
    start, at, fence = 0, 0, ""

    def close(end: int) -> None:
        if text[start:end].strip():
            heading = " › ".join(title for _, title in path)
            sections.append(Section(text=_flowing(text[start:end]), start=start, heading=heading))

    for line in _LINE.findall(text):
        if mark := _FENCE.match(line):
            # A fence is closed by one of its own kind that is at least as long; a heading inside is code.
            if not fence:
                fence = mark[1]
            elif mark[1].startswith(fence):
                fence = ""
        elif not fence and (found := _HEADING.match(line)):
            close(at)
            level = len(found[1])
            path = [entry for entry in path if entry[0] < level]
            path.append((level, _MARKUP.sub("", found[2])))
            start = at + len(line)
        at += len(line)
    close(at)
    return sections


def _flowing(text: str) -> str:
    """As long as before, character for character. Code in fences is left as it stands."""
    parts = re.split(r"(^ {0,3}(?:```|~~~).*?^ {0,3}(?:```|~~~)[^\n]*$)", text, flags=re.M | re.S)
    return "".join(part if at % 2 else _SOFT_END.sub(" ", part) for at, part in enumerate(parts))
