"""Taking documents in: discover → parse → cut → write → embed → index → prune.

Each step leaves the store in a state that the next run goes on from, so a kill anywhere costs the work of one document
or one batch. What a document had before goes only when what it has now stands.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bailiwick.errors import DocumentError
from bailiwick.retrieval.chunk import CHUNKER, cut, indexed_text
from bailiwick.retrieval.discover import Document, Scan, discover
from bailiwick.retrieval.embedder import Embedder
from bailiwick.retrieval.parse import parse
from bailiwick.retrieval.report import DeadLetter, IngestReport
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vector_index import VectorIndex
from bailiwick.retrieval.vector_room import VectorRoom
from bailiwick.retrieval.writer_lock import only_writer

__all__ = ["ingest"]

BATCH = 256
"""Passages that are embedded, indexed and marked together."""

Progress = Callable[[str], None]


def ingest(
    store: Store,
    vectors: VectorRoom,
    paths: Sequence[Path | str],
    *,
    prune_all: bool = False,
    on_progress: Progress | None = None,
) -> IngestReport:
    """See ``Knowledge.ingest``."""
    began = time.monotonic()
    folder = store.file.parent
    scan = discover(paths, seen_from=folder)
    tell = on_progress or _nobody
    with only_writer(folder):
        store.create()
        with store.kept_open():
            vectors.check_embedder()
            vectors.embedder()  # when it is not to be had, before anything is read
            work = _Work(store=store, tell=tell, known=store.documents())
            for number, document in enumerate(scan.documents, start=1):
                tell(f"reading {number} of {len(scan.documents)}: {document.name}")
                work.read(document)
            work.prune(scan, prune_all)
            _index(store, vectors, tell)
    return IngestReport(
        added=work.added,
        unchanged=work.unchanged,
        removed=work.removed,
        dead_letters=tuple(work.dead_letters),
        held_back=tuple(work.held_back),
        skipped=tuple(scan.skipped),
        seconds=round(time.monotonic() - began, 3),
    )


@dataclass(kw_only=True)
class _Work:
    """One run over the documents."""

    store: Store
    tell: Progress
    known: Mapping[str, tuple[str, str, int]]
    added: int = 0
    unchanged: int = 0
    removed: int = 0
    dead_letters: list[DeadLetter] = field(default_factory=list[DeadLetter])
    held_back: list[str] = field(default_factory=list[str])

    def read(self, document: Document) -> None:
        """Write what the document says now, without its vectors; or a dead letter."""
        try:
            if document.leads_out:
                raise DocumentError("it is a link that leads out of the folder", fix="put the file itself there")
            try:
                content = document.path.read_bytes()
            except OSError as error:
                raise DocumentError(f"it cannot be read: {error.strerror}") from error
            digest = hashlib.sha256(CHUNKER.encode() + content).hexdigest()
            name, known_digest, passages = self.known.get(document.source, ("", "", 0))
            if (name, known_digest) == (document.name, digest):
                self.unchanged += passages
                return
            chunks = cut(document.source, parse(document.path, content))
        except DocumentError as error:
            reason = f"{error.message} ({error.fix})" if error.fix else error.message
            self.dead_letters.append(self.store.bury(document, reason))
            return
        new, stayed, leaving = self.store.take_in(document, digest, chunks)
        self.added += new
        self.unchanged += stayed
        self.removed += leaving

    def prune(self, scan: Scan, prune_all: bool) -> None:
        """Let go of documents that are gone from the folders that were scanned, unless suspiciously many are.

        A folder that is not mounted, or half copied, looks just like one whose documents were deleted.
        """
        here = {document.source for document in scan.documents}
        for folder in scan.folders:
            known = self.store.known_below(folder)
            gone = {source: name for source, name in known.items() if source not in here}
            if len(gone) > max(2, len(known) // 2) and not prune_all:
                self.held_back += sorted(gone.values())
                self.tell(f"{len(gone)} of {len(known)} documents are gone at once; their passages are kept")
            else:
                self.removed += self.store.let_go(gone)


def _index(store: Store, vectors: VectorRoom, tell: Progress) -> None:
    """Bring the vector index to what the store says: what is missing in, what is pending in, what leaves out."""
    index = vectors.for_writing()
    there, said = index.ids(), store.ids("indexed")
    store.set_pending(said - there)
    strangers = there - said - store.ids("pending") - store.ids("leaving")
    changed = bool(strangers)
    _drop(index, strangers)
    total = store.count("pending")
    done = 0
    while batch := store.pending(BATCH):
        tell(f"embedding {done} of {total} passages")
        index.put([row[0] for row in batch], _vectors(store, vectors.embedder(), batch))
        store.set_indexed(row[0] for row in batch)
        done += len(batch)
        changed = True
    if leaving := store.ids("leaving"):
        _drop(index, leaving)
        store.forget(leaving)
        changed = True
    if changed:
        vectors.written()


def _drop(index: VectorIndex, ids: set[str]) -> None:
    ordered = sorted(ids)
    for start in range(0, len(ordered), BATCH):
        index.drop(ordered[start : start + BATCH])


def _vectors(store: Store, embedder: Embedder, batch: Sequence[tuple[str, str, str, str]]) -> np.ndarray:
    """The vectors of the passages in ``batch``, of which only those are made that never were."""
    known = store.cached(embedder.name, (row[3] for row in batch))
    texts = {text_hash: indexed_text(heading, text) for _, heading, text, text_hash in batch if text_hash not in known}
    if texts:
        made = dict(zip(texts, embedder.embed_passages(list(texts.values())), strict=True))
        store.cache(embedder.name, made)
        known |= made
    return np.stack([known[row[3]] for row in batch])


def _nobody(_: str) -> None:
    """Hears the progress when nobody else does."""
