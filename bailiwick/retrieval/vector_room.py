"""Where the vectors lie, and which of them is the one in force."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from bailiwick.errors import EmbedderMismatch
from bailiwick.retrieval.embedder import Embedder, Vectors
from bailiwick.retrieval.make_embedder import make_embedder
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vector_index import VectorIndex, mismatch

__all__ = ["VectorRoom"]


class VectorRoom:
    """The vector index of one knowledge, and the embedder that goes with it, both opened when first needed.

    An index is made in a folder of its own (``chroma/1``, ``chroma/2``, …), and ``rag.db`` says which one is in force.
    ``auto`` is the embedder that the index in force was made with, and ``static`` where there is none.
    """

    def __init__(self, folder: Path, store: Store, embedder: str | Embedder) -> None:
        self._folder = folder
        self._store = store
        self._asked = embedder
        self._embedder: Embedder | None = None
        self._opened: VectorIndex | None = None
        self._opened_as: tuple[str, str] | None = None
        self._lock = threading.RLock()
        self._failed: tuple[tuple[str, str], BaseException] | None = None
        self._closed = False

    @property
    def embedder_name(self) -> str:
        if not isinstance(self._asked, str):
            return self._asked.name
        if self._asked != "auto":
            return self._asked
        return (self._store.remembered("embedder") if self.stands() else "") or "static"

    def embedder(self) -> Embedder:
        """Raises ModelNotConfigured."""
        with self._lock:
            if self._embedder is None:
                self._embedder = make_embedder(self.embedder_name) if isinstance(self._asked, str) else self._asked
            return self._embedder

    def stands(self) -> bool:
        """Whether there is an index in force."""
        number = self._store.remembered("vectors")
        return bool(number) and (self._folder / number).is_dir()

    def check_embedder(self) -> None:
        """Raise EmbedderMismatch when the index in force was made by another embedder than the one asked for."""
        made_by = self._store.remembered("embedder")
        if self.stands() and made_by != self.embedder_name:
            raise mismatch(self._folder / self._store.remembered("vectors"), made_by, self.embedder_name)

    def current(self) -> VectorIndex:
        """The index in force, with all that was written to it. Raises what ``VectorIndex.open`` does."""
        with self._lock:
            number = self._store.remembered("vectors")
            if not number:
                raise FileNotFoundError("nothing was ingested yet")
            state = (number, self._store.remembered("revision"))
            if self._opened is None or state != self._opened_as:
                self._close()
                self._opened = self._open(number, state)
                self._opened_as = state
            return self._opened

    def _open(self, number: str, state: tuple[str, str]) -> VectorIndex:
        if self._failed is not None and self._failed[0] == state:
            raise self._failed[1]
        try:
            return VectorIndex.open(self._folder / number, embedder=self.embedder_name)
        except BaseException as error:
            # Chroma tells what is wrong once; asked again in the same process it only says that it is not running.
            self._failed = state, error
            raise

    def nearest(self, question: Vectors, at_most: int) -> list[tuple[str, float]]:
        """See ``VectorIndex.nearest``; nobody opens the index anew meanwhile."""
        with self._lock:
            try:
                return self.current().nearest(question, at_most)
            finally:
                if self._closed:
                    self._close()

    def for_writing(self) -> VectorIndex:
        """The index in force, or a new one where it is missing or broken.

        A new one is in force at once, and empty: all passages are pending again. Raises EmbedderMismatch.
        """
        with self._lock:
            try:
                return self.current()
            except EmbedderMismatch:
                raise
            except BaseException as error:
                # Chroma's core panics with an exception that is no Exception.
                if isinstance(error, (KeyboardInterrupt, SystemExit)):
                    raise
            self._close()
            number = str(int(self._store.remembered("vectors") or 0) + 1)
            shutil.rmtree(self._folder / number, ignore_errors=True)
            self._opened = VectorIndex.create(self._folder / number, embedder=self.embedder_name)
            self._store.set_pending(None)
            self._store.remember({"vectors": number, "embedder": self.embedder_name})
            self._opened_as = (number, self._store.remembered("revision"))
            for old in self._folder.iterdir():
                if old.is_dir() and old.name != number:
                    shutil.rmtree(old, ignore_errors=True)
            return self._opened

    def written(self) -> None:
        """Tell everybody who searches, here and in other processes, that the vectors have changed."""
        with self._lock:
            revision = str(int(self._store.remembered("revision") or 0) + 1)
            self._store.remember({"revision": revision})
            if self._opened_as is not None:
                self._opened_as = (self._opened_as[0], revision)

    def close(self) -> None:
        """Close what is open; a search that is still at it closes it when it ends."""
        self._closed = True
        if self._lock.acquire(timeout=0.5):
            try:
                self._close()
            finally:
                self._lock.release()

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened, self._opened_as = None, None
