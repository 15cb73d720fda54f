"""Where the vectors lie on this machine, and which of them are the ones in force."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from bailiwick.errors import EmbedderMismatch, KnowledgeBroken
from bailiwick.retrieval.embedders import Embedder, Vectors
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vectors.chosen_embedder import ChosenEmbedder
from bailiwick.retrieval.vectors.local_index import FLUSH_AT, LocalIndex
from bailiwick.retrieval.vectors.vectors import Nearest, Target

__all__ = ["LocalVectors"]


class LocalVectors:
    """The vector index of one knowledge, and the embedder that goes with it, both opened when first needed.

    An index is made in a folder of its own (``chroma/1``, ``chroma/2``, …), and ``rag.db`` says which one is in force,
    and whether it is still being made: then a kill may have left it half flushed, and nobody but its maker reads it.
    """

    servers: Sequence[str] = ()

    def __init__(self, folder: Path, store: Store, embedder: str | Embedder) -> None:
        self._folder = folder
        self._store = store
        self._chosen = ChosenEmbedder(store, embedder)
        self._opened: LocalIndex | None = None
        self._opened_as: tuple[str, str] | None = None
        self._lock = threading.RLock()
        self._failed: tuple[tuple[str, str], BaseException] | None = None
        self._closed = False
        self._making = ""
        """The number of the index that is being made here. Empty: none is."""

    @property
    def embedder_name(self) -> str:
        return self._chosen.name(stands=self.stands())

    def embedder(self) -> Embedder:
        """Raises ModelNotConfigured."""
        return self._chosen.get(stands=self.stands())

    def stands(self) -> bool:
        """Whether there is an index in force."""
        number = self._store.remembered("vectors")
        return bool(number) and (self._folder / number).is_dir()

    def check_embedder(self) -> None:
        """Raise EmbedderMismatch when the index in force was made by another embedder than the one asked for."""
        self._chosen.check(self._folder / self._store.remembered("vectors"), stands=self.stands())

    # Searching

    def nearest(
        self, question: Vectors, at_most: int, *, among: Sequence[str] | None = None, seconds: float = 60.0
    ) -> Nearest:
        """See ``VectorRoom.nearest``; nobody opens the index anew meanwhile. It has no clock of its own."""
        with self._lock:
            try:
                (ranking,) = self.current().nearest(question, at_most, among=among)
                return Nearest(ranking=ranking)
            finally:
                if self._closed:
                    self._close()

    def ids(self) -> set[str]:
        """What the index in force holds."""
        with self._lock:
            return self.current().ids()

    def current(self) -> LocalIndex:
        """The index in force, with all that was written to it. Raises what ``LocalIndex.open`` does."""
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

    def _open(self, number: str, state: tuple[str, str]) -> LocalIndex:
        if self._failed is not None and self._failed[0] == state:
            raise self._failed[1]
        try:
            if self._store.remembered("building") == number:
                raise KnowledgeBroken(
                    "the vector index is still being made, or its making was cut off",
                    fix="wait for the ingestion that is running, or ingest again",
                )
            return LocalIndex.open(self._folder / number, embedder=self.embedder_name)
        except KnowledgeBroken:
            raise  # soon it may stand
        except BaseException as error:
            # Chroma tells what is wrong once; asked again in the same process it only says that it is not running.
            self._failed = state, error
            raise

    # Writing

    def for_writing(self) -> list[Target]:
        """The index in force, or a new one where it is missing, broken, or was cut off while it was made.

        A new one is in force at once, and empty: all passages are pending again. Raises EmbedderMismatch.
        """
        with self._lock:
            try:
                return [_LocalTarget(self, self.current(), made_here=False)]
            except EmbedderMismatch:
                raise
            except BaseException as error:
                # Chroma's core panics with an exception that is no Exception.
                if isinstance(error, (KeyboardInterrupt, SystemExit)):
                    raise
            self._close()
            number = self._new_number()
            self._opened = LocalIndex.create(self._folder / number, embedder=self.embedder_name)
            self._store.set_pending(None)
            self._store.remember({"vectors": number, "embedder": self.embedder_name, "building": "", "grown": "0"})
            self._opened_as = (number, self._store.remembered("revision"))
            self._making = number
            self._sweep(number)
            return [_LocalTarget(self, self._opened, made_here=True)]

    def may_be_flushed(self) -> None:
        """From now on the index that is being made may be half of one, until it is settled."""
        self._store.remember({"building": self._making})

    def grew(self, changes: int) -> None:
        """Changes that an index in force got, and reads from its log."""
        self._store.remember({"grown": str(int(self._store.remembered("grown") or 0) + changes)})

    def written(self) -> None:
        """Tell everybody who searches, here and in other processes, that the vectors have changed."""
        with self._lock:
            revision = str(int(self._store.remembered("revision") or 0) + 1)
            self._store.remember({"revision": revision})
            if self._opened_as is not None:
                self._opened_as = (self._opened_as[0], revision)

    def settle(self, tell: Callable[[int, int], None]) -> None:
        """End the making of an index; or make one anew whose log has grown long."""
        with self._lock:
            if self._making:
                assert self._opened is not None
                self._opened.keep_whole()
                self._making = ""
                if self._store.remembered("building"):
                    self._store.remember({"building": ""})
                return
        grown = int(self._store.remembered("grown") or 0)
        if grown > FLUSH_AT and grown * 4 > self._store.count("indexed"):
            self.rebuild(tell)

    def rebuild(self, tell: Callable[[int, int], None], *, embedder: str | None = None) -> int:
        """See ``VectorRoom.rebuild``. A kill leaves the old one in force."""
        if embedder is not None:
            self._chosen.change(embedder)
        maker = self.embedder()
        number = self._new_number()
        index = LocalIndex.create(self._folder / number, embedder=maker.name)
        try:
            count = self._fill(index, maker, tell)
            index.keep_whole()
            held = len(index.ids())
        finally:
            index.close()
        if held != count:
            shutil.rmtree(self._folder / number, ignore_errors=True)
            raise KnowledgeBroken(
                f"the new index holds {held} of {count} vectors", fix="see that the disk is sound and has room"
            )
        with self._lock:
            self._close()
            self._making = ""
            self._store.remember({"vectors": number, "embedder": maker.name, "building": "", "grown": "0"})
        self.written()
        self._sweep(number)
        return count

    def _fill(self, index: LocalIndex, maker: Embedder, tell: Callable[[int, int], None]) -> int:
        total, count = self._store.count("indexed"), 0
        for ids, vectors in self._chosen.all_vectors(maker):
            tell(count, total)
            index.put(ids, vectors)
            count += len(ids)
        return count

    def _new_number(self) -> str:
        number = str(int(self._store.remembered("vectors") or 0) + 1)
        shutil.rmtree(self._folder / number, ignore_errors=True)
        return number

    def _sweep(self, in_force: str) -> None:
        for old in self._folder.iterdir():
            if old.is_dir() and old.name != in_force:
                shutil.rmtree(old, ignore_errors=True)

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


class _LocalTarget:
    """The index that is written to, with an eye on when it is flushed and how long its log gets."""

    name = "chroma"

    def __init__(self, vectors: LocalVectors, index: LocalIndex, *, made_here: bool) -> None:
        self._vectors = vectors
        self._index = index
        self._made_here = made_here
        self._changes = 0

    def ids(self) -> set[str]:
        return self._index.ids()

    def put(self, ids: Sequence[str], vectors: Vectors) -> None:
        self._count(len(ids))
        self._index.put(ids, vectors)

    def drop(self, ids: Sequence[str]) -> None:
        self._count(len(ids))
        self._index.drop(ids)

    def _count(self, changes: int) -> None:
        before, self._changes = self._changes, self._changes + changes
        if not self._made_here:
            self._vectors.grew(changes)
        elif before <= FLUSH_AT // 2 < self._changes:  # long before, since Chroma counts in its own way
            self._vectors.may_be_flushed()
