"""A search: both indexes side by side under one deadline, and one ranking from whatever arrived."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing, suppress
from dataclasses import dataclass

from bailiwick.errors import RetrievalUnavailable
from bailiwick.documents.chunk import indexed_text
from bailiwick.retrieval.fusion import fuse
from bailiwick.retrieval.keyword_index import Weighing, keyword_search
from bailiwick.retrieval.passage import Found, Mode, Passage
from bailiwick.retrieval.relevance import is_relevant
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vector_room import VectorRoom

__all__ = ["Legs", "search"]

CANDIDATES = 24
"""Passages that each index gives into the fusion."""

QUESTION_CHARACTERS = 2000
"""What is looked at of a question."""

_PASSAGES = """
SELECT id, name, text, heading, page, "row", start, "end", content_hash
FROM chunks JOIN sources USING (source) WHERE id IN """

Ranking = list[tuple[str, float]]
"""Ids and scores, best first."""


@dataclass(frozen=True, kw_only=True)
class Legs:
    """Threads for each index by itself, so that one that hangs takes no thread from the other, nor from the loop."""

    vector: Executor
    keyword: Executor


async def search(store: Store, vectors: VectorRoom, legs: Legs, question: str, *, k: int, seconds: float) -> Found:
    """See ``Knowledge.search``."""
    until = time.monotonic() + seconds
    # Half a surrogate pair is text to Python and to nobody else.
    question = question[:QUESTION_CHARACTERS].encode("utf-8", "replace").decode()
    if not store.exists():
        return Found(passages=(), mode="none", degraded=("nothing was ingested yet",))
    loop = asyncio.get_running_loop()
    by_vector = loop.run_in_executor(legs.vector, _by_vector, vectors, question)
    by_keyword = loop.run_in_executor(legs.keyword, _by_keyword, store, question, until)
    # A leg that is late is given up, not waited for: what it still does is its own thread's affair. A little is kept
    # back of the time, for putting together what arrived.
    try:
        await asyncio.wait({by_vector, by_keyword}, timeout=max(0.0, seconds * 0.9))
    except asyncio.CancelledError:
        by_vector.cancel()
        by_keyword.cancel()
        raise
    rankings: dict[str, Ranking] = {}
    degraded: list[str] = []
    for name, leg in (("vector", by_vector), ("keyword", by_keyword)):
        if not leg.done():
            leg.cancel()
            degraded.append(f"{name} search: no answer within {seconds:.1f} s")
        elif error := leg.exception():
            degraded.append(f"{name} search: {_in_words(error)}")
        else:
            rankings[name] = leg.result()
    if not rankings:
        raise RetrievalUnavailable(
            "neither index answers: " + "; ".join(degraded),
            fix="ingest again, which mends the vector index; or give the search more time",
        )
    together = loop.run_in_executor(legs.keyword, _together, store, question, rankings, k)
    try:
        passages, relevant = await asyncio.wait_for(together, max(0.05, until - time.monotonic()))
    except (TimeoutError, sqlite3.Error) as error:
        raise RetrievalUnavailable(f"the passages cannot be read: {_in_words(error)}") from error
    if not passages and store.count("indexed") == 0:
        degraded.append("the knowledge is empty")
    return Found(passages=passages, mode=_mode(rankings), degraded=tuple(degraded), relevant=relevant)


def _by_vector(vectors: VectorRoom, question: str) -> Ranking:
    return vectors.nearest(vectors.embedder().embed_question(question), CANDIDATES)


def _by_keyword(store: Store, question: str, until: float) -> Ranking:
    with store.reading() as database:
        return keyword_search(database, question, at_most=CANDIDATES, until=until)


def _together(store: Store, question: str, rankings: Mapping[str, Ranking], k: int) -> tuple[tuple[Passage, ...], bool]:
    """The best passages of all rankings, and whether they fit the question."""
    fused = fuse([name for name, _ in ranking] for ranking in rankings.values())
    with store.reading() as database:
        passages = _read(database, fused)[:k]
        texts = {passage.id: indexed_text(passage.heading, passage.text) for passage in passages}
        shares: dict[str, float] = {}
        # With a broken keyword index the cosines have to decide alone.
        with suppress(sqlite3.Error), closing(Weighing(database, question)) as weighing:
            shares = weighing.shares(texts)
    similarities = dict(rankings["vector"]) if "vector" in rankings else None
    return tuple(passages), is_relevant(texts, similarities, shares)


def _read(database: sqlite3.Connection, ranked: Sequence[tuple[str, float]]) -> list[Passage]:
    """The passages of these ids; one that was taken out meanwhile is left out."""
    marks = ",".join("?" * len(ranked))
    query = _PASSAGES + f"({marks})"
    rows = database.execute(query, [name for name, _ in ranked])
    found = {row[0]: row[1:] for row in rows}
    passages: list[Passage] = []
    for chunk, score in ranked:
        if chunk not in found:
            continue
        name, text, heading, page, row, start, end, content_hash = found[chunk]
        passages.append(
            Passage(
                id=chunk,
                source=name,
                text=text,
                citation=_citation(name, heading, page, row),
                heading=heading,
                page=page,
                row=row,
                start=start,
                end=end,
                content_hash=content_hash,
                score=round(score, 6),
            )
        )
    return passages


def _citation(name: str, heading: str, page: int | None, row: int | None) -> str:
    """For people: the file, and the place in it. A document's own title is left out where there is more to say."""
    if page is not None:
        return f"{name}, page {page}"
    if row is not None:
        return f"{name}, row {row}"
    _, _, below = heading.partition(" › ")
    return f"{name}, {below or heading}" if heading else name


def _mode(rankings: Mapping[str, Ranking]) -> Mode:
    if len(rankings) == 2:
        return "hybrid"
    return "vector-only" if "vector" in rankings else "keyword-only"


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
