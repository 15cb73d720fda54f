"""From the bytes of a document to its sections, by what its name ends in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bailiwick.documents.csv_rows import csv_rows
from bailiwick.documents.docx_text import docx_sections
from bailiwick.documents.front_matter import front_matter
from bailiwick.documents.html_text import html_sections
from bailiwick.documents.json_records import json_document, json_lines
from bailiwick.documents.markdown_sections import markdown_sections
from bailiwick.documents.pdf_pages import pdf_pages
from bailiwick.documents.section import Fact, Section
from bailiwick.errors import DocumentError

__all__ = ["MAX_BYTES", "MAX_CHARACTERS", "SUFFIXES", "Parsed", "parse"]

MAX_BYTES = 32 * 1024 * 1024
MAX_CHARACTERS = 16 * 1024 * 1024
"""Of text in one document; more is a data set, not a document."""

_DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]+)", re.I)


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """What is in a document. ``facts``: what it says about itself; empty: nothing."""

    sections: list[Section]
    facts: Mapping[str, Fact] = field(default_factory=dict[str, Fact])


def parse(suffix: str, content: bytes) -> Parsed:
    """What the document ``content`` says. Raises DocumentError, also when there is no text in it.

    Documents come from anywhere, so this is called in ``ParserProcess`` and not where it could do harm.
    """
    parser = _PARSERS.get(suffix.lower())
    if parser is None:
        known = ", ".join(sorted(_PARSERS))
        raise DocumentError(f"there is no parser for {suffix or 'files without an ending'}", fix=f"use {known}")
    if len(content) > MAX_BYTES:
        raise DocumentError(f"it is larger than {MAX_BYTES // 2**20} MiB", fix="split it")
    try:
        parsed = parser(content)
    except (DocumentError, MemoryError):
        raise
    except Exception as error:  # a parser may fail in any way over what it was never made for
        raise DocumentError(f"it cannot be read: {type(error).__name__}: {error}", fix="save it anew") from error
    parsed = parsed if isinstance(parsed, Parsed) else Parsed(sections=parsed)
    if not parsed.sections:
        raise DocumentError("there is no text in it", fix="a scanned document needs text recognition first")
    if sum(len(section.text) for section in parsed.sections) > MAX_CHARACTERS:
        raise DocumentError(f"it holds more than {MAX_CHARACTERS // 2**20} million characters of text", fix="split it")
    return parsed


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


def _markdown(content: bytes) -> Parsed:
    facts, text = front_matter(_decoded(content))
    return Parsed(sections=markdown_sections(text), facts=facts)


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


def _json(content: bytes) -> list[Section]:
    return json_document(_decoded(content))


def _jsonl(content: bytes) -> list[Section]:
    return json_lines(_decoded(content))


_PARSERS: Mapping[str, Callable[[bytes], list[Section] | Parsed]] = {
    ".csv": _csv,
    ".docx": docx_sections,
    ".htm": _html,
    ".html": _html,
    ".json": _json,
    ".jsonl": _jsonl,
    ".markdown": _markdown,
    ".md": _markdown,
    ".ndjson": _jsonl,
    ".pdf": pdf_pages,
    ".text": _plain,
    ".txt": _plain,
}

SUFFIXES = frozenset(_PARSERS)
"""Endings of files that can be read."""
