"""What a knowledge holds, for people to look at."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bailiwick.retrieval.candidates import citation
from bailiwick.retrieval.links import link_to
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vectors import VectorRoom

__all__ = ["KnowledgeStats", "ListedDocument", "ListedPassage", "documents", "passages", "stats"]


@dataclass(frozen=True, kw_only=True)
class ListedDocument:
    """A document that was taken in."""

    name: str
    source: str
    passages: int
    facts: dict[str, Any]
    at: float
    """When it was taken in last, in seconds since 1970; 0: before that was kept."""


@dataclass(frozen=True, kw_only=True)
class ListedPassage:
    """A passage as it is kept."""

    id: str
    citation: str
    text: str
    start: int
    end: int
    state: str
    link: str
    content_hash: str


@dataclass(frozen=True, kw_only=True)
class KnowledgeStats:
    """How much a knowledge holds."""

    documents: int
    passages: int
    pending: int
    """Passages that have no vector yet."""
    refused: int
    """Passages that the embedder will not take."""
    dead_letters: int
    embedder: str
    cached_vectors: int
    bytes: int
    """On the disk, vectors on a server left out."""


def documents(store: Store) -> list[ListedDocument]:
    if not store.exists():
        return []
    with store.reading() as database:
        facts: dict[str, dict[str, Any]] = {}
        for source, key, value in database.execute("SELECT source, key, value FROM facts ORDER BY key, value"):
            own = facts.setdefault(source, {})
            own[key] = (
                value if key not in own else [*([own[key]] if not isinstance(own[key], list) else own[key]), value]
            )
        rows = database.execute(
            "SELECT name, source, count(number) FILTER (WHERE state <> 'leaving'), at FROM sources"
            " LEFT JOIN chunks USING (source) WHERE digest <> '' GROUP BY source ORDER BY name"
        ).fetchall()
    return [
        ListedDocument(name=row[0], source=row[1], passages=row[2], facts=facts.get(row[1], {}), at=row[3])
        for row in rows
    ]


def passages(store: Store, which: str) -> list[ListedPassage]:
    if not store.exists() or not which:
        return []
    with store.reading() as database:
        rows = database.execute(
            'SELECT id, name, heading, page, "row", text, start, "end", state, source, link, content_hash FROM chunks'
            " JOIN sources USING (source) WHERE state <> 'leaving' AND"
            " (name = ?1 OR source = ?1 OR (length(?1) >= 8 AND id GLOB ?1 || '*')) ORDER BY number",
            (which,),
        ).fetchall()
    return [
        ListedPassage(
            id=row[0],
            citation=citation(row[1], row[2], row[3], row[4]),
            text=row[5],
            start=row[6],
            end=row[7],
            state=row[8],
            link=link_to(row[9], row[10], row[5], row[3], seen_from=store.file.parent),
            content_hash=row[11],
        )
        for row in rows
    ]


def stats(folder: Path, store: Store, vectors: VectorRoom) -> KnowledgeStats:
    counts = {"documents": 0, "passages": 0, "pending": 0, "refused": 0, "dead_letters": 0, "cached_vectors": 0}
    if store.exists():
        with store.reading() as database:
            for name, query in {
                "documents": "SELECT count(*) FROM sources WHERE digest <> ''",
                "passages": "SELECT count(*) FROM chunks WHERE state <> 'leaving'",
                "pending": "SELECT count(*) FROM chunks WHERE state = 'pending'",
                "refused": "SELECT count(*) FROM chunks WHERE state = 'refused'",
                "dead_letters": "SELECT count(*) FROM dead_letters",
                "cached_vectors": "SELECT count(*) FROM embeddings",
            }.items():
                counts[name] = database.execute(query).fetchone()[0]
    return KnowledgeStats(**counts, embedder=vectors.embedder_name, bytes=_bytes_below(folder))


def _bytes_below(folder: Path) -> int:
    count = 0
    for file in folder.rglob("*"):
        if "tenants" not in file.relative_to(folder).parts:
            with suppress(FileNotFoundError):  # SQLite's own come and go
                count += file.stat().st_size if file.is_file() else 0
    return count
