"""The knowledge of a project: what was ingested, and the search in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from bailiwick.resilience import seconds_left
from bailiwick.retrieval.embedders.embedder import Embedder
from bailiwick.retrieval.ingestion import ingest
from bailiwick.retrieval.passage import Found
from bailiwick.retrieval.report import IngestReport
from bailiwick.retrieval.searching import Legs, search
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vector_room import VectorRoom
from bailiwick.tracing import conventions as words
from bailiwick.tracing import span

__all__ = ["Knowledge"]


class Knowledge:
    """Documents in a folder of ``rag.db`` and ``chroma/``. Made by ``Knowledge.open``; a context, or to be closed.

    Searches may come from several tasks and threads at once, and go on while an ingestion runs. Several processes may
    have one folder open; one of them at a time ingests.
    """

    def __init__(self, folder: Path, *, store: Store, vectors: VectorRoom) -> None:
        self._folder = folder
        self._store = store
        self._vectors = vectors
        self._legs = Legs(
            vector=ThreadPoolExecutor(1, thread_name_prefix="bailiwick-vectors"),
            keyword=ThreadPoolExecutor(4, thread_name_prefix="bailiwick-keywords"),
        )
        self._warm: Future[None] | None = None

    @classmethod
    def open(cls, folder: Path | str, *, embedder: str | Embedder = "auto") -> Knowledge:
        """Open the knowledge in ``folder``. Where there is none yet nothing is made, and searches find nothing.

        ``embedder``: ``static`` (no network), ``provider:model`` as LangChain's ``init_embeddings`` knows it, one of
        your own, or ``auto``: the one that the index was made with, else ``static``. Loading it and the vector index
        takes a second or two and is begun here in a thread (see ``ready``).

        Raises EmbedderMismatch, and ConfigError for a ``rag.db`` that cannot be read.
        """
        folder = Path(folder)
        store = Store(folder / "rag.db")
        vectors = VectorRoom(folder / "chroma", store, embedder)
        if store.exists():
            store.check()
            vectors.check_embedder()
        knowledge = cls(folder, store=store, vectors=vectors)
        if vectors.stands():
            knowledge._warm = knowledge._legs.vector.submit(knowledge._load)
        return knowledge

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
        paths: Sequence[Path | str],
        *,
        prune_all: bool = False,
        on_progress: Callable[[str], None] | None = None,
    ) -> IngestReport:
        """Take in files and folders (markdown, HTML, PDF, CSV, text). Blocks; safe to kill and to run again.

        What has not changed is skipped. What is gone from a folder is taken out at the end, unless more than half of it
        (and more than two documents) are gone at once: that needs ``prune_all``. A document that cannot be read
        becomes a dead letter; the others go on.

        Raises ConfigError for a path that is missing or a folder without documents, KnowledgeBusy, EmbedderMismatch,
        ModelNotConfigured, and what the embedder raises; what was read until then is kept.
        """
        return ingest(self._store, self._vectors, paths, prune_all=prune_all, on_progress=on_progress)

    async def search(
        self,
        question: str,
        *,
        k: int = 4,
        timeout: float = 2.0,  # noqa: ASYNC109  half of a result is better than a TimeoutError
    ) -> Found:
        """The ``k`` passages that fit ``question`` best, within ``timeout`` seconds.

        Vectors and keywords are searched side by side; one that fails or is late is left out and named in ``degraded``.
        Raises RetrievalUnavailable when both do.
        """
        timeout = seconds_left(timeout)
        name = self._folder.name
        with span(f"retrieve {name}", "RETRIEVER", words.retrieval([], "none", query=question)) as opened:
            found = await search(self._store, self._vectors, self._legs, question, k=k, seconds=timeout)
            documents = [passage.as_dict() for passage in found.passages]
            opened.set(words.retrieval(documents, found.mode, found.degraded, seconds_left(timeout)))
            opened.set({"bailiwick.retrieval.index": name, "bailiwick.retrieval.relevant": found.relevant})
        return found

    def close(self) -> None:
        """Give up what is open. A search that still runs in its thread ends there."""
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
