"""What is known of each passage that either index found, before they are put into one order."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from bailiwick.retrieval.embedders import Vectors
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vectors import Ranking

__all__ = ["Candidate", "candidates", "citation"]

_PASSAGES = """
SELECT id, source, name, link, text, heading, page, "row", start, "end", content_hash, indexed_hash
FROM chunks JOIN sources USING (source) WHERE id IN """


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A passage with its scores. None: that index did not answer, or does not have it."""

    id: str
    source: str
    name: str
    link: str
    text: str
    heading: str
    page: int | None
    row: int | None
    start: int
    end: int
    content_hash: str
    indexed_hash: str
    cosine: float | None
    bm25: float | None
    """Larger is better."""

    @property
    def citation(self) -> str:
        return citation(self.name, self.heading, self.page, self.row)


def candidates(
    database: sqlite3.Connection,
    store: Store,
    embedder: str,
    *,
    asked: Vectors | None,
    by_cosine: Ranking | None,
    by_words: Ranking | None,
) -> list[Candidate]:
    """The passages of both rankings with what is known of each; one that was taken out meanwhile is left out.

    ``asked``: the question's vector, by ``embedder``; None: nobody knows it.
    """
    cosines, words = dict(by_cosine or []), dict(by_words or [])
    names = list(dict.fromkeys([*cosines, *words]))
    query = _PASSAGES + f"({','.join('?' * len(names))})"
    rows = {row[0]: row for row in database.execute(query, names)}
    if by_cosine is not None and asked is not None:
        hashes = {row[11]: name for name, row in rows.items() if name not in cosines}
        cosines |= _cosines(store, embedder, asked, hashes) if hashes else {}
    return [
        Candidate(
            id=name,
            source=row[1],
            name=row[2],
            link=row[3],
            text=row[4],
            heading=row[5],
            page=row[6],
            row=row[7],
            start=row[8],
            end=row[9],
            content_hash=row[10],
            indexed_hash=row[11],
            cosine=cosines.get(name),
            bm25=words.get(name),
        )
        for name in names
        if (row := rows.get(name)) is not None
    ]


def _cosines(store: Store, embedder: str, asked: Vectors, hashes: dict[str, str]) -> dict[str, float]:
    """Of passages that were not among the nearest, from the cache: how near they are all the same."""
    asked = asked.reshape(-1)
    found = store.cached(embedder, hashes)
    norm = max(float(np.linalg.norm(asked)), 1e-9)
    return {
        hashes[text_hash]: float(asked @ vector) / (norm * max(float(np.linalg.norm(vector)), 1e-9))
        for text_hash, vector in found.items()
        if len(vector) == len(asked)
    }


def citation(name: str, heading: str, page: int | None, row: int | None) -> str:
    """For people: the file, and the place in it. A document's own title is left out where there is more to say."""
    if page is not None:
        return f"{name}, page {page}"
    if row is not None:
        return f"{name}, row {row}"
    _, _, below = heading.partition(" › ")
    return f"{name}, {below or heading}" if heading else name
