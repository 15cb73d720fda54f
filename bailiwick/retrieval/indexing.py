"""Vector indexes brought to what ``rag.db`` says, while documents still come in.

    passages that wait → known vectors, or the embedder → the cache → Chroma → "indexed"

Each arrow is a step that can be killed: what is behind it is kept, and what is before it is done again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

import numpy as np

from bailiwick.documents import indexed_text
from bailiwick.retrieval.embedders import Embedding, Vectors
from bailiwick.retrieval.report import DeadLetter
from bailiwick.retrieval.store import Store, StoredPassage
from bailiwick.retrieval.vectors import Target, VectorRoom
from bailiwick.retrieval.vectors.vectors import BATCH

__all__ = ["Indexing"]

LOOKS_PER_SECOND = 20


class Indexing:
    """A feeder, the embedder's threads and one that writes to Chroma. A context, around the reading of documents."""

    def __init__(self, store: Store, vectors: VectorRoom) -> None:
        self._store = store
        self._vectors = vectors
        self._targets: list[Target] = []
        self.behind: list[str] = []
        """Standbys that could not be written to."""
        self.refused: list[DeadLetter] = []
        self.embedded = 0
        self.indexed = 0
        self._changed = False
        self._read = threading.Event()
        self._stop = threading.Event()
        self._made: queue.Queue[list[tuple[str, Vectors]] | None] = queue.Queue(8)
        self._asked: dict[str, list[str]] = {}
        """Texts that the embedder has, and the passages that wait for them; so none is asked for twice."""
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._feeder = threading.Thread(target=self._guarded, args=(self._feed,), name="bailiwick-feed", daemon=True)
        self._writer = threading.Thread(target=self._guarded, args=(self._write,), name="bailiwick-write", daemon=True)

    def __enter__(self) -> Self:
        first, *standbys = self._vectors.for_writing()
        there, said = first.ids(), self._store.ids("indexed")
        self._store.set_pending(said - there)
        self._drop(first, there - said - self._store.ids("pending") - self._store.ids("leaving"))
        self._targets = [first, *(each for each in standbys if self._caught_up(each))]
        self._feeder.start()
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._read.set()
        with self._lock:
            self._error = self._error or error
        self._join()

    def check(self) -> None:
        """Raise what went wrong in the threads."""
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Wait until every passage has its vector, then let those go that leave. Raises what went wrong."""
        self._read.set()
        self._join()
        self.check()
        leaving = self._store.ids("leaving")
        for target in list(self._targets):
            self._tried(target, lambda target=target: self._drop(target, leaving))
        if leaving:
            self._store.forget(leaving)
        if self._changed:
            self._vectors.written()

    @property
    def waiting(self) -> int:
        """Passages that have no vector yet."""
        return self._store.count("pending")

    # The threads

    def _join(self) -> None:
        self._feeder.join()
        while self._writer.is_alive():
            try:
                self._made.put(None, timeout=0.1)
                break
            except queue.Full:
                continue
        self._writer.join()

    def _guarded(self, work: object) -> None:
        try:
            assert callable(work)
            work()
        except BaseException as error:  # noqa: BLE001  told to the thread that reads documents
            with self._lock:
                self._error = self._error or error
            self._stop.set()

    def _feed(self) -> None:
        after = 0
        with Embedding(self._vectors.embedder(), on_made=self._on_made, on_refused=self._on_refused) as embedding:
            while not self._stop.is_set():
                last = self._read.is_set()
                batch = self._store.pending(BATCH, after=after)
                if not batch and last:
                    # Once more from the beginning: one that was leaving may have come back behind us.
                    embedding.finish()
                    self._flush()
                    batch = [each for each in self._store.pending(BATCH) if each.number <= after]
                    if not batch:
                        return
                elif not batch or (len(batch) < BATCH and not last):
                    self._read.wait(1 / LOOKS_PER_SECOND)
                    if not batch:
                        continue
                after = max(after, batch[-1].number)
                self._give(batch, embedding)
            # Stopped: what the embedder still has, nobody waits for.
            raise RuntimeError("stopped")

    def _give(self, batch: Sequence[StoredPassage], embedding: Embedding) -> None:
        known = self._store.cached(self._vectors.embedder_name, (each.indexed_hash for each in batch))
        self._pass_on([(each.id, known[each.indexed_hash]) for each in batch if each.indexed_hash in known])
        texts: dict[str, str] = {}
        with self._lock:
            for each in batch:
                if each.indexed_hash in known:
                    continue
                waiting = self._asked.get(each.indexed_hash)
                if waiting is None:
                    self._asked[each.indexed_hash] = [each.id]
                    texts[each.indexed_hash] = indexed_text(each.heading, each.text)
                elif each.id not in waiting:
                    waiting.append(each.id)
        hashes = list(texts)
        at = 0
        while at < len(hashes):
            size = embedding.texts_at_once
            embedding.submit({text_hash: texts[text_hash] for text_hash in hashes[at : at + size]})
            at += size

    def _on_made(self, made: dict[str, Vectors]) -> None:
        self._store.cache(self._vectors.embedder_name, made)
        with self._lock:
            self.embedded += len(made)
            done = [(passage, vector) for text_hash, vector in made.items() for passage in self._asked.pop(text_hash)]
        self._pass_on(done)

    def _on_refused(self, text_hash: str, reason: str) -> None:
        with self._lock:
            passages = self._asked.pop(text_hash)
        for passage in passages:
            letter = self._store.refuse(passage, reason)
            if letter is not None:
                self.refused.append(letter)

    def _pass_on(self, made: list[tuple[str, Vectors]]) -> None:
        while made and not self._stop.is_set():
            try:
                self._made.put(made, timeout=0.2)
                return
            except queue.Full:
                continue

    def _flush(self) -> None:
        """Wait until what was passed on is written, or never will be."""
        while self._made.unfinished_tasks and not self._stop.is_set():
            self._stop.wait(1 / LOOKS_PER_SECOND)

    def _write(self) -> None:
        while True:
            # Chroma takes many at once for little more than few; but nobody waits for more than what is there.
            taken = [self._made.get()]
            while taken[-1] is not None and sum(len(each or ()) for each in taken) < BATCH:
                try:
                    taken.append(self._made.get_nowait())
                except queue.Empty:
                    break
            made = [pair for each in taken for pair in each or ()]
            try:
                for start in range(0, len(made), BATCH):
                    self._put(made[start : start + BATCH])
            finally:
                for _ in taken:
                    self._made.task_done()
            if taken[-1] is None:
                return

    def _put(self, made: Sequence[tuple[str, Vectors]]) -> None:
        # A passage may have been passed on twice, and Chroma takes no id twice in one call.
        unique = dict(made)
        vectors = np.stack(list(unique.values()))
        ids = list(unique)
        for number, target in enumerate(list(self._targets)):
            if number == 0:
                target.put(ids, vectors)
            else:
                self._tried(target, lambda target=target: target.put(ids, vectors))
        self._store.set_indexed(ids)
        with self._lock:
            self.indexed += len(ids)
            self._changed = True

    # Standbys

    def _caught_up(self, standby: Target) -> bool:
        """Give the standby what it lacks of what the first one has."""

        def feed() -> None:
            there = standby.ids()
            said = self._store.ids("indexed")
            self._drop(standby, there - said - self._store.ids("leaving"))
            after = 0
            while batch := self._store.indexed(BATCH, after=after):
                after = batch[-1].number
                missing = [each for each in batch if each.id not in there]
                known = self._store.cached(self._vectors.embedder_name, (each.indexed_hash for each in missing))
                have = [(each.id, known[each.indexed_hash]) for each in missing if each.indexed_hash in known]
                if have:
                    standby.put([name for name, _ in have], np.stack([vector for _, vector in have]))

        return self._tried(standby, feed)

    def _tried(self, target: Target, work: object) -> bool:
        """Whether it could be done. A standby that cannot is left out from here on."""
        try:
            assert callable(work)
            work()
        except Exception:
            if self._targets and target is self._targets[0]:
                raise
            if target.name not in self.behind:
                self.behind.append(target.name)
            self._targets = [each for each in self._targets if each is not target]
            return False
        return True

    def _drop(self, target: Target, ids: Iterable[str]) -> None:
        ordered = sorted(ids)
        for start in range(0, len(ordered), BATCH):
            target.drop(ordered[start : start + BATCH])
            self._changed = True
