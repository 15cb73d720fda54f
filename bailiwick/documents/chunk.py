"""Sections cut into passages, and the ids by which a passage is known again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bailiwick.documents.section import Section
from bailiwick.errors import DocumentError

__all__ = ["CHUNKER", "Chunk", "cut", "digest", "indexed_text"]

CHUNKER = "recursive-1000-120-v1"
"""In every id: passages cut in another way are other passages."""

MAX_PASSAGES = 20_000
"""Of one document; more is a data set, not a document."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A passage that is to be indexed."""

    id: str
    text: str
    heading: str
    page: int | None
    row: int | None
    start: int
    end: int
    indexed_hash: str
    """Of what is embedded: the text with its headings. The key of the embedding cache."""
    content_hash: str


def cut(source: str, sections: Iterable[Section], *, tenant: str = "default") -> list[Chunk]:
    """The passages of the document known as ``source``. Raises DocumentError for more than 20 000.

    An id is a hash of tenant, source, chunker, headings and text, and of which one of several equal passages it is; so
    a passage keeps its id when others are added, cut out or moved around it.
    """
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        chunk_size=1000,
        chunk_overlap=120,
        separators=["\n\n", "\n", ". ", "? ", "! ", " ", ""],
        keep_separator="end",
        add_start_index=True,
    )
    seen: Counter[str] = Counter()
    chunks: list[Chunk] = []
    for section in sections:
        heading = _whole(section.heading)
        for piece in splitter.create_documents([_whole(section.text)]):
            text = piece.page_content
            if len(chunks) == MAX_PASSAGES:
                raise DocumentError(f"it makes more than {MAX_PASSAGES} passages", fix="split it")
            start = section.start + int(piece.metadata["start_index"])
            indexed_hash = digest(indexed_text(heading, text))
            occurrence = seen[indexed_hash]
            seen[indexed_hash] += 1
            chunks.append(
                Chunk(
                    id=digest("\x1f".join((tenant, source, CHUNKER, indexed_hash, str(occurrence))))[:32],
                    text=text,
                    heading=heading,
                    page=section.page,
                    row=section.row,
                    start=start,
                    end=start + len(text),
                    indexed_hash=indexed_hash,
                    content_hash=digest(text),
                )
            )
    return chunks


def _whole(text: str) -> str:
    """Halves of characters, which JSON and some PDF fonts give, are text to Python and to nobody else."""
    return text.encode("utf-8", "replace").decode()


def indexed_text(heading: str, text: str) -> str:
    """What is embedded for a passage: under "Delivery times", "Two days." says what it does not say alone."""
    return f"{heading}\n{text}" if heading else text


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
