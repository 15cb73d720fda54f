"""The knowledge of a project: what was ingested, and the search in it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from bailiwick.errors import InputRefused, RetrievalUnavailable
from bailiwick.resilience import seconds_left
from bailiwick.retrieval.embedders import Embedder
from bailiwick.retrieval.filters import Where
from bailiwick.retrieval.ingestion import Ingestion, ingest
from bailiwick.retrieval.passage import Found
from bailiwick.retrieval.report import DeadLetter, IngestProgress, IngestReport
from bailiwick.retrieval.reranker import Reranker
from bailiwick.retrieval.searching import Legs, Search, search
from bailiwick.retrieval.shelf_list import KnowledgeStats, ListedDocument, ListedPassage, documents, passages, stats
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vectors import ServedVectors, VectorRoom, open_vectors
from bailiwick.retrieval.verify import Verdict, verify
from bailiwick.retrieval.writer_lock import only_writer
from bailiwick.tracing import conventions as words
from bailiwick.tracing import span

__all__ = ["Knowledge"]

LAST_GOOD = 256
"""Questions whose last good answer is kept, for when neither index answers."""

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Knowledge:
    """Documents in a folder of ``rag.db`` and ``chroma/``. Made by ``Knowledge.open``; a context, or to be closed.

    Searches may come from several tasks and threads at once, and go on while an ingestion runs. Several processes may
    have one folder open; one of them at a time ingests.
    """

    def __init__(
        self,
        folder: Path,
        *,
        store: Store,
        vectors: VectorRoom,
        tenant: str = "",
        reranker: Reranker | None = None,
        make: Callable[[Path, str], Knowledge] | None = None,
    ) -> None:
        self._folder = folder
        self._store = store
        self._vectors = vectors
        self._tenant = tenant
        self._reranker = reranker
        self._make = make
        self._tenants: dict[str, Knowledge] = {}
        self._lock = threading.Lock()
        self._legs = Legs(
            # A folder's index is asked by one at a time; servers answer many.
            vector=ThreadPoolExecutor(
                8 if isinstance(vectors, ServedVectors) else 1, thread_name_prefix="bailiwick-vectors"
            ),
            keyword=ThreadPoolExecutor(4, thread_name_prefix="bailiwick-keywords"),
        )
        self._warm: Future[None] | None = None
        self._last_good: OrderedDict[str, tuple[float, Found]] = OrderedDict()

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        embedder: str | Embedder = "auto",
        servers: Sequence[str] | None = None,
        reranker: Reranker | None = None,
        tenant: str = "",
    ) -> Knowledge:
        """Open the knowledge in ``folder``. Where there is none yet nothing is made, and searches find nothing.

        ``embedder``: ``static`` (no network), ``minilm``, ``provider:model`` as LangChain's ``init_embeddings`` knows
        it, one of your own, or ``auto``: the one that the index was made with, else what BAILIWICK_EMBEDDER names, else
        minilm if its weights are here, else ``static``. ``servers``: addresses of Chroma servers (``chroma run``) for
        the vectors, the first of which is asked first, the others standing by; None: those that BAILIWICK_CHROMA names,
        else none: the vectors lie in ``folder``. ``tenant``: see ``for_tenant``; empty: what belongs to none.
        Loading the embedder and the index takes a second or two and is begun here in a thread (see ``ready``).

        Raises EmbedderMismatch, and ConfigError for a ``rag.db`` that cannot be read or an address that is none.
        """

        def make(where: Path, tenant: str) -> Knowledge:
            store = Store(where / "rag.db")
            vectors = open_vectors(where / "chroma", store, embedder, servers=servers)
            if store.exists():
                store.check()
                vectors.check_embedder()
            knowledge = cls(where, store=store, vectors=vectors, tenant=tenant, reranker=reranker, make=make)
            if vectors.stands():
                knowledge._warm = knowledge._legs.vector.submit(knowledge._load)
            return knowledge

        return make(_tenant_folder(Path(folder), tenant) if tenant else Path(folder), tenant)

    def for_tenant(self, tenant: str) -> Knowledge:
        """What belongs to ``tenant`` and to nobody else: a ``rag.db`` and an index of its own, closed with this one.

        Raises InputRefused for a name that is no name, and what ``open`` raises.
        """
        assert self._make is not None
        with self._lock:
            if tenant not in self._tenants:
                self._tenants[tenant] = self._make(_tenant_folder(self._folder, tenant), tenant)
            return self._tenants[tenant]

    async def ready(self, timeout: float = 30.0) -> bool:  # noqa: ASYNC109  it gives up, it does not raise
        """Wait until the vector index is loaded, at most ``timeout`` seconds; give whether it is. Never raises.

        Without it the first searches find by keywords only, and say so.
        """
        if self._warm is None:
            return self._vectors.stands()
        warm = asyncio.wrap_future(self._warm)
        done, _ = await asyncio.wait({warm}, timeout=timeout)
        return bool(done) and warm.exception() is None

    def ingest(
        self,
        given: Sequence[Path | str],
        *,
        prune_all: bool = False,
        dry_run: bool = False,
        retry_failed: bool = False,
        on_progress: Callable[[IngestProgress], None] | None = None,
    ) -> IngestReport:
        """Take in files, folders, addresses of web pages and sitemaps, ``.mbox`` archives and source files.

        Blocks; safe to kill and to run again. What has not changed is skipped. What is gone from a source is taken out
        at the end, unless more than half of it (and more than two documents) are gone at once: that needs
        ``prune_all``. A document that cannot be read, and a passage that the embedder refuses, becomes a dead letter;
        the others go on. ``dry_run`` writes nothing and reports what would be; ``retry_failed`` reads only what has a
        dead letter.

        Raises ConfigError for a path that is missing or a folder without documents, KnowledgeBusy, EmbedderMismatch,
        ModelNotConfigured, EmbedderUnavailable; what was read and embedded until then is kept.
        """
        how = Ingestion(
            prune_all=prune_all, dry_run=dry_run, retry_failed=retry_failed, tenant=self._tenant or "default"
        )
        return ingest(self._store, self._vectors, given, how=how, on_progress=on_progress)

    async def search(
        self,
        question: str,
        *,
        k: int = 4,
        where: Where | None = None,
        only: Literal["vector", "keyword"] | None = None,
        timeout: float = 2.0,  # noqa: ASYNC109  half of a result is better than a TimeoutError
    ) -> Found:
        """The ``k`` passages that fit ``question`` best, within ``timeout`` seconds.

        Vectors and keywords are searched side by side; one that fails or is late is left out and named in ``degraded``.
        When both do, it is the last good answer to the same question, if there is one (``mode`` is then ``cached``).
        ``where`` narrows the documents down by their facts: ``{"kind": "pdf", "product": ["lantern", "lamp"],
        "closed": {"from": "2026-01-01"}}``; None: all. ``only`` asks one index by itself, to measure it.

        Raises RetrievalUnavailable when there is nothing at all, and InputRefused for a ``where`` that is none.
        """
        timeout = seconds_left(timeout)
        name = self._folder.name
        asked = Search(question=question, k=k, where=where or {}, only=only, reranker=self._reranker)
        with span(f"retrieve {name}", "RETRIEVER", words.retrieval([], "none", query=question)) as opened:
            found = await self._search(asked, timeout)
            documents = [passage.as_dict() for passage in found.passages]
            opened.set(words.retrieval(documents, found.mode, found.degraded, seconds_left(timeout)))
            opened.set({"bailiwick.retrieval.index": name, "bailiwick.retrieval.relevant": found.relevant})
        return found

    async def _search(self, asked: Search, seconds: float) -> Found:
        key = json.dumps([" ".join(asked.question.lower().split()), asked.k, dict(asked.where)], default=sorted)
        try:
            found = await search(self._store, self._vectors, self._legs, asked, seconds=seconds)
        except RetrievalUnavailable as error:
            at, good = self._last_good.get(key, (0.0, None))
            if good is None:
                raise
            ago = f"the last good answer to this question, {time.monotonic() - at:.0f} s old"
            return dataclasses.replace(good, mode="cached", degraded=(error.message, ago))
        if found.mode == "hybrid" and found.passages and asked.only is None:
            self._last_good[key] = (time.monotonic(), found)
            self._last_good.move_to_end(key)
            while len(self._last_good) > LAST_GOOD:
                self._last_good.popitem(last=False)
        return found

    # What is there

    def documents(self) -> list[ListedDocument]:
        """All documents, by name. Empty: nothing was ingested."""
        return documents(self._store)

    def passages(self, which: str) -> list[ListedPassage]:
        """Of the document of this name, or the one passage of this id (or its beginning). Empty: there is none."""
        return passages(self._store, which)

    def dead_letters(self) -> list[DeadLetter]:
        """What could not be taken in, and why."""
        return self._store.dead_letters()

    def stats(self) -> KnowledgeStats:
        """How much there is."""
        return stats(self._folder, self._store, self._vectors)

    def verify(self, *, every: bool = False) -> Verdict:
        """Compare the vector index with ``rag.db``, in a process of its own, since a broken index can end its reader.

        ``every``: look for each passage by its own vector, and not for 2000 of them only.
        """
        return verify(self._folder, self._store, self._vectors, every=every)

    def rebuild(
        self, *, embedder: str | None = None, on_progress: Callable[[IngestProgress], None] | None = None
    ) -> int:
        """Make the vector index anew from ``rag.db``; give how many vectors it has. The old one is searched meanwhile.

        With ``embedder`` its vectors are made by another one from now on. Raises KnowledgeBusy, ModelNotConfigured,
        KnowledgeBroken.
        """

        def tell(done: int, total: int) -> None:
            if on_progress is not None:
                on_progress(IngestProgress(stage="writing", done=done, total=total))

        with only_writer(self._folder):
            return self._vectors.rebuild(tell, embedder=embedder)

    def compact(self, *, on_progress: Callable[[IngestProgress], None] | None = None) -> tuple[int, int]:
        """Give up the room of what is not needed: vectors of texts that are gone, free pages, the index's log.

        Gives the bytes before and after. Raises as ``rebuild``.
        """
        before = self.stats().bytes
        with only_writer(self._folder):
            self._store.compact()
        self.rebuild(on_progress=on_progress)
        return before, self.stats().bytes

    def close(self) -> None:
        """Give up what is open. A search that still runs in its thread ends there."""
        for tenant in self._tenants.values():
            tenant.close()
        self._legs.vector.shutdown(wait=False, cancel_futures=True)
        self._legs.keyword.shutdown(wait=False, cancel_futures=True)
        self._vectors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load(self) -> None:
        # The first question to a model pays for its caches; better here than in somebody's search.
        self._vectors.nearest(self._vectors.embedder().embed_question("ready"), 1)


def _tenant_folder(folder: Path, tenant: str) -> Path:
    if not _TENANT.fullmatch(tenant):
        raise InputRefused(
            f"{tenant!r} is no name of a tenant", fix="use up to 64 letters, digits, dots, dashes and underscores"
        )
    return folder / "tenants" / tenant
