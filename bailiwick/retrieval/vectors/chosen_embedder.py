"""Which embedder goes with an index, and every vector that it should have."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np

from bailiwick.documents import indexed_text
from bailiwick.retrieval.embedders import Embedder, Vectors, default_embedder, make_embedder
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vectors.vectors import BATCH, mismatch

__all__ = ["ChosenEmbedder"]


class ChosenEmbedder:
    """The embedder that was asked for, made when first needed.

    ``auto`` is the one that the index in force was made with, and the default one where there is none.
    """

    def __init__(self, store: Store, asked: str | Embedder) -> None:
        self._store = store
        self._asked = asked
        self._made: Embedder | None = None
        self._lock = threading.RLock()

    def name(self, *, stands: bool) -> str:
        """``stands``: whether there is an index in force."""
        if not isinstance(self._asked, str):
            return self._asked.name
        if self._asked != "auto":
            return self._asked
        return (self._store.remembered("embedder") if stands else "") or default_embedder()

    def get(self, *, stands: bool) -> Embedder:
        """Raises ModelNotConfigured."""
        with self._lock:
            name = self.name(stands=stands)
            if self._made is None or self._made.name != name:
                self._made = make_embedder(name) if isinstance(self._asked, str) else self._asked
            return self._made

    def check(self, where: Path | str, *, stands: bool) -> None:
        """Raise EmbedderMismatch when the index in force, at ``where``, was made by another one."""
        made_by, name = self._store.remembered("embedder"), self.name(stands=stands)
        if stands and made_by != name:
            raise mismatch(where, made_by, name)

    def change(self, name: str) -> None:
        """From now on it is this one."""
        with self._lock:
            self._asked, self._made = name, None

    def all_vectors(self, maker: Embedder) -> Generator[tuple[list[str], Vectors]]:
        """Of every passage that has a vector, or should have: ids and vectors, from the cache where they are known."""
        after = 0
        while batch := self._store.indexed(BATCH, after=after):
            after = batch[-1].number
            known = self._store.cached(maker.name, (each.indexed_hash for each in batch))
            texts = {
                each.indexed_hash: indexed_text(each.heading, each.text)
                for each in batch
                if each.indexed_hash not in known
            }
            if texts:
                made = dict(zip(texts, maker.embed_passages(list(texts.values())), strict=True))
                self._store.cache(maker.name, made)
                known |= made
            yield [each.id for each in batch], np.stack([known[each.indexed_hash] for each in batch])
