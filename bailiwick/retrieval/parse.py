"""From a file to sections, by what its name ends in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from bailiwick.errors import DocumentError
from bailiwick.retrieval.csv_rows import csv_rows
from bailiwick.retrieval.html_text import html_sections
from bailiwick.retrieval.markdown_sections import markdown_sections
from bailiwick.retrieval.pdf_pages import pdf_pages
from bailiwick.retrieval.section import Section

__all__ = ["MAX_BYTES", "is_document", "parse"]

MAX_BYTES = 32 * 1024 * 1024

_DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]+)", re.I)


def is_document(path: Path) -> bool:
    """Whether there is a parser for files of this name."""
    return path.suffix.lower() in _PARSERS


def parse(path: Path, content: bytes) -> list[Section]:
    """The sections of the document ``content``. Raises DocumentError, also when there is no text in it."""
    parser = _PARSERS.get(path.suffix.lower())
    if parser is None:
        known = ", ".join(sorted(_PARSERS))
        raise DocumentError(f"there is no parser for {path.suffix or 'files without an ending'}", fix=f"use {known}")
    if len(content) > MAX_BYTES:
        raise DocumentError(f"it is larger than {MAX_BYTES // 2**20} MiB", fix="split it")
    try:
        sections = parser(content)
    except DocumentError:
        raise
    except Exception as error:  # a parser may fail in any way over what it was never made for
        raise DocumentError(f"it cannot be read: {type(error).__name__}: {error}", fix="save it anew") from error
    if not sections:
        raise DocumentError("there is no text in it", fix="a scanned document needs text recognition first")
    return sections


def _decoded(content: bytes) -> str:
    """Text in UTF-8, or in UTF-16 that says so by its byte order mark, with plain line ends."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"it is not {error.encoding.upper()} text (byte {error.start} does not fit)", fix="save it as UTF-8"
        ) from error
    if "\x00" in text:
        raise DocumentError("it is binary, not text", fix="give the file the ending of what it is")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _markdown(content: bytes) -> list[Section]:
    return markdown_sections(_decoded(content))


def _html(content: bytes) -> list[Section]:
    declared = _DECLARED.search(content[:2048])
    try:
        text = _decoded(content)
    except DocumentError:
        # A page may be in an older encoding, and then says so.
        if declared is None:
            raise
        try:
            text = content.decode(declared[1].decode())
        except (LookupError, UnicodeDecodeError) as error:
            raise DocumentError(f"it is not in the encoding that it declares: {error}") from error
    return html_sections(text)


def _csv(content: bytes) -> list[Section]:
    return csv_rows(_decoded(content))


def _plain(content: bytes) -> list[Section]:
    text = _decoded(content)
    return [Section(text=text, start=0)] if text.strip() else []


_PARSERS: Mapping[str, Callable[[bytes], list[Section]]] = {
    ".csv": _csv,
    ".htm": _html,
    ".html": _html,
    ".markdown": _markdown,
    ".md": _markdown,
    ".pdf": pdf_pages,
    ".txt": _plain,
}
