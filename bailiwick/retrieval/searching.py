"""A search: both indexes side by side under one deadline, and one ranking from whatever arrived."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from bailiwick.documents import indexed_text
from bailiwick.errors import RetrievalUnavailable
from bailiwick.retrieval.alike import without_repeats
from bailiwick.retrieval.candidates import Candidate, candidates
from bailiwick.retrieval.embedders import Vectors
from bailiwick.retrieval.filters import Where, where_sql
from bailiwick.retrieval.fusion import fuse
from bailiwick.retrieval.keyword_index import Weighing, keyword_search
from bailiwick.retrieval.links import link_to
from bailiwick.retrieval.passage import Found, Mode, Passage
from bailiwick.retrieval.relevance import is_relevant
from bailiwick.retrieval.reranker import Reranker
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vectors import Nearest, Ranking, VectorRoom

__all__ = ["Legs", "Search", "search"]

CANDIDATES = 24
"""Passages that each index gives into the fusion."""
QUESTION_CHARACTERS = 2000
"""What is looked at of a question."""
FEW = 5000
"""Passages that a filter leaves, up to which Chroma is told them one by one."""
MOST_ASKED_FOR = 2000


@dataclass(frozen=True, kw_only=True)
class Legs:
    """Threads for each index by itself, so that one that hangs takes no thread from the other, nor from the loop."""

    vector: Executor
    keyword: Executor


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is asked. ``where`` empty: of all documents. ``reranker`` None: the fused order is the last word."""

    question: str
    k: int
    where: Where = field(default_factory=dict[str, object])
    only: Literal["vector", "keyword"] | None = None
    """One index by itself, to be measured. None: both."""
    reranker: Reranker | None = None


async def search(store: Store, vectors: VectorRoom, legs: Legs, asked: Search, *, seconds: float) -> Found:
    """See ``Knowledge.search``."""
    until = time.monotonic() + seconds
    where_sql(asked.where)  # what is wrong with it is said before anything is begun
    # Half a surrogate pair is text to Python and to nobody else.
    asked = replace(asked, question=asked.question[:QUESTION_CHARACTERS].encode("utf-8", "replace").decode())
    if not store.exists():
        return Found(passages=(), mode="none", degraded=("nothing was ingested yet",))
    if seconds <= 0:
        raise RetrievalUnavailable(f"no answer within {seconds:.1f} s", fix="give the search more time")
    loop = asyncio.get_running_loop()
    by_vector = loop.run_in_executor(legs.vector, _by_vector, store, vectors, asked, until)
    by_keyword = loop.run_in_executor(legs.keyword, _by_keyword, store, asked, until)
    # A leg that is late is given up, not waited for: what it still does is its own thread's affair. A little is kept
    # back of the time, for putting together what arrived.
    try:
        await asyncio.wait({by_vector, by_keyword}, timeout=max(0.0, seconds * 0.9))
    except asyncio.CancelledError:
        by_vector.cancel()
        by_keyword.cancel()
        raise
    nearest: Nearest | None = None
    by_words: Ranking | None = None
    degraded: list[str] = []
    for name, leg in (("vector", by_vector), ("keyword", by_keyword)):
        if asked.only not in (None, name):
            continue
        if not leg.done():
            leg.cancel()
            degraded.append(f"{name} search: no answer within {seconds:.1f} s")
        elif error := leg.exception():
            degraded.append(f"{name} search: {_in_words(error)}")
        elif name == "vector":
            nearest = by_vector.result()
            degraded += [nearest.note] if nearest.note else []
        else:
            by_words = by_keyword.result()
    if nearest is None and by_words is None:
        raise RetrievalUnavailable(
            "neither index answers: " + "; ".join(degraded),
            fix="ingest again, which mends the vector index; or give the search more time",
        )
    together = loop.run_in_executor(legs.keyword, _together, store, vectors, asked, nearest, by_words)
    try:
        ordered, relevant = await asyncio.wait_for(together, max(0.05, until - time.monotonic()))
    except (TimeoutError, sqlite3.Error) as error:
        raise RetrievalUnavailable(f"the passages cannot be read: {_in_words(error)}") from error
    if asked.reranker is not None and ordered:
        ordered, complaint = await _reranked(asked, asked.reranker, ordered, legs, until)
        degraded += [complaint] if complaint else []
    if not ordered and store.count("indexed") == 0:
        degraded.append("the knowledge is empty")
    mode: Mode = "keyword-only" if nearest is None else "vector-only" if by_words is None else "hybrid"
    return Found(passages=tuple(ordered[: asked.k]), mode=mode, degraded=tuple(degraded), relevant=relevant)


def _by_vector(store: Store, vectors: VectorRoom, asked: Search, until: float) -> Nearest:
    question = vectors.embedder().embed_question(asked.question)
    return replace(_nearest(store, vectors, asked, question, until), asked=question)


def _nearest(store: Store, vectors: VectorRoom, asked: Search, question: Vectors, until: float) -> Nearest:
    if not asked.where:
        return vectors.nearest(question, CANDIDATES, seconds=until - time.monotonic())
    condition, values = where_sql(asked.where)
    with store.reading() as database:
        rows = database.execute(f"SELECT id FROM chunks WHERE state = 'indexed' AND {condition}", values)  # noqa: S608  its own text
        among = [row[0] for row in rows]
        whole = database.execute("SELECT count(*) FROM chunks WHERE state = 'indexed'").fetchone()[0]
    if not among:
        return Nearest(ranking=[])
    if len(among) > FEW:
        # Most of what is nearest to many is allowed, so some more of all is cheaper than naming those allowed.
        ask_for = math.ceil(1.5 * CANDIDATES * whole / len(among))
        if ask_for <= MOST_ASKED_FOR:
            found = vectors.nearest(question, ask_for, seconds=until - time.monotonic())
            allowed = set(among)
            ranking = [entry for entry in found.ranking if entry[0] in allowed][:CANDIDATES]
            if len(ranking) == CANDIDATES:
                return replace(found, ranking=ranking)
    return vectors.nearest(question, min(CANDIDATES, len(among)), among=among, seconds=until - time.monotonic())


def _by_keyword(store: Store, asked: Search, until: float) -> Ranking:
    with store.reading() as database:
        return keyword_search(database, asked.question, at_most=CANDIDATES, until=until, where=asked.where)


def _together(
    store: Store, vectors: VectorRoom, asked: Search, nearest: Nearest | None, by_words: Ranking | None
) -> tuple[list[Passage], bool]:
    """The passages of both rankings, best first and without repeats, and whether those in front fit the question."""
    with store.reading() as database:
        found = candidates(
            database,
            store,
            vectors.embedder_name,
            asked=nearest.asked if nearest else None,
            by_cosine=nearest.ranking if nearest else None,
            by_words=by_words,
        )
        shares: dict[str, float] = {}
        # With a broken keyword index the cosines have to decide alone.
        with suppress(sqlite3.Error), closing(Weighing(database, asked.question)) as weighing:
            shares = weighing.shares({each.id: indexed_text(each.heading, each.text) for each in found})
    fused = fuse(found, shares, embedder=vectors.embedder_name)
    by_id = {each.id: each for each in found}
    kept = without_repeats([name for name, _ in fused], {each.id: each.text for each in found})
    scores = dict(fused)
    passages = [
        _passage(by_id[name], scores[name], [by_id[other].citation for other in repeats], store)
        for name, repeats in kept.items()
    ]
    front = [passage.id for passage in passages[: asked.k]]
    similarities = None if nearest is None else {each.id: each.cosine for each in found if each.cosine is not None}
    return passages, is_relevant(front, similarities, shares, embedder=vectors.embedder_name)


def _passage(found: Candidate, score: float, also: Sequence[str], store: Store) -> Passage:
    return Passage(
        id=found.id,
        source=found.name,
        text=found.text,
        citation=found.citation,
        heading=found.heading,
        page=found.page,
        row=found.row,
        start=found.start,
        end=found.end,
        content_hash=found.content_hash,
        score=round(score, 6),
        link=link_to(found.source, found.link, found.text, found.page, seen_from=store.file.parent),
        also=tuple(dict.fromkeys(also)),
    )


async def _reranked(
    asked: Search, reranker: Reranker, passages: list[Passage], legs: Legs, until: float
) -> tuple[list[Passage], str]:
    """The passages in the reranker's order, or as they were with the reason."""
    texts = [indexed_text(passage.heading, passage.text) for passage in passages]
    work = asyncio.get_running_loop().run_in_executor(legs.keyword, reranker.rerank, asked.question, texts)
    try:
        scores: Mapping[int, float] = dict(enumerate(await asyncio.wait_for(work, max(0.0, until - time.monotonic()))))
        if len(scores) != len(passages):
            raise ValueError(f"{len(scores)} scores for {len(passages)} passages")
    except TimeoutError:
        return passages, f"reranker {reranker.name}: no answer in time"
    except Exception as error:  # noqa: BLE001  whatever it is, the fused order is there
        return passages, f"reranker {reranker.name}: {_in_words(error)}"
    order = sorted(range(len(passages)), key=lambda at: -scores[at])
    return [replace(passages[at], score=round(float(scores[at]), 6)) for at in order], ""


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
