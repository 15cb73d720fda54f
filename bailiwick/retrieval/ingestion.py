"""Taking documents in: discover → load → parse → cut → write → embed → index → prune.

Loading and parsing go on beside the writing, and embedding and indexing beside both. Each step leaves the store in a
state that the next run goes on from, so a kill anywhere costs the work of a few documents or of one batch. What a
document had before goes only when what it has now stands.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

from bailiwick.documents import Chunk, Fact, Parsed, ParserLimits, ParserProcess, cut
from bailiwick.errors import DocumentError
from bailiwick.retrieval.indexing import Indexing
from bailiwick.retrieval.report import DeadLetter, IngestProgress, IngestReport
from bailiwick.retrieval.sources import Item, Source, open_sources
from bailiwick.retrieval.store import KnownDocument, Store
from bailiwick.retrieval.vectors import VectorRoom
from bailiwick.retrieval.writer_lock import only_writer

__all__ = ["Ingestion", "ingest"]

PARSERS = 2
AHEAD = 16
"""Documents that are loaded and parsed before it is their turn to be written."""

Progress = Callable[[IngestProgress], None]


@dataclass(frozen=True, kw_only=True)
class Ingestion:
    """How to ingest. The defaults are those of a run that nobody watches."""

    prune_all: bool = False
    dry_run: bool = False
    retry_failed: bool = False
    limits: ParserLimits = field(default_factory=ParserLimits)
    tenant: str = "default"


def ingest(
    store: Store,
    vectors: VectorRoom,
    given: Sequence[Path | str],
    *,
    how: Ingestion | None = None,
    on_progress: Progress | None = None,
) -> IngestReport:
    """See ``Knowledge.ingest``."""
    began = time.monotonic()
    how = how or Ingestion()
    folder = store.file.parent
    with ExitStack() as stack:
        sources = stack.enter_context(open_sources(given, seen_from=folder))
        if how.dry_run:
            work = _DryRun(store=store, how=how, tell=_Telling(on_progress))
            work.read_all(sources)
            return work.report(began)
        stack.enter_context(only_writer(folder))
        store.create()
        stack.enter_context(store.kept_open())
        vectors.check_embedder()
        vectors.embedder()  # when it is not to be had, before anything is read
        if how.retry_failed:
            store.retry_refused()
        indexing = stack.enter_context(Indexing(store, vectors))
        work = _Work(store=store, how=how, tell=_Telling(on_progress), indexing=indexing)
        work.read_all(sources)
        _wait(indexing, work.tell)
        vectors.settle(work.tell.writing)
    return work.report(began)


def _wait(indexing: Indexing, tell: _Telling) -> None:
    """Tell how the embedding goes until it is done."""
    first = indexing.waiting
    began = time.monotonic()
    tell.embedding(0, first, began)
    done = ThreadPoolExecutor(1, thread_name_prefix="bailiwick-finish")
    try:
        end = done.submit(indexing.finish)
        while not end.done():
            if first:
                tell.embedding(max(0, first - indexing.waiting), first, began)
            try:
                end.result(timeout=0.2)
            except TimeoutError:
                if end.done():
                    raise
        end.result()
    finally:
        done.shutdown(wait=True)


class _Telling:
    """Says how far it is, and how fast."""

    def __init__(self, on_progress: Progress | None) -> None:
        self._on_progress = on_progress
        self._last: IngestProgress | None = None
        self.failed = 0
        self.skipped = 0

    def reading(self, done: int, total: int | None, name: str, began: float) -> None:
        self._say("reading", done, total, began, name)

    def embedding(self, done: int, total: int, began: float) -> None:
        if total:
            self._say("embedding", done, total, began)

    def writing(self, done: int, total: int) -> None:
        self._say("writing", done, total, time.monotonic())

    def _say(
        self,
        stage: Literal["reading", "embedding", "writing"],
        done: int,
        total: int | None,
        began: float,
        name: str = "",
    ) -> None:
        if self._on_progress is None:
            return
        rate = done / max(time.monotonic() - began, 1e-3)
        left = (total - done) / rate if total is not None and rate > 0 and done > 10 else None
        said = IngestProgress(
            stage=stage,
            done=done,
            total=total,
            name=name,
            per_second=round(rate, 1),
            seconds_left=left,
            failed=self.failed,
            skipped=self.skipped,
        )
        if self._last is None or str(self._last) != str(said):
            self._on_progress(said)
        self._last = said


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """A document as it is now. ``chunks`` None: it has not changed."""

    chunks: list[Chunk] | None = None
    digest: str = ""
    validator: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict[str, Fact])


@dataclass(kw_only=True)
class _Work:
    """One run over the documents of all sources."""

    store: Store
    how: Ingestion
    tell: _Telling
    indexing: Indexing | None = None
    known: Mapping[str, KnownDocument] = field(default_factory=dict[str, KnownDocument])
    buried: frozenset[str] = frozenset()
    added: int = 0
    unchanged: int = 0
    removed: int = 0
    dead_letters: list[DeadLetter] = field(default_factory=list[DeadLetter])
    held_back: list[str] = field(default_factory=list[str])
    skipped: list[str] = field(default_factory=list[str])

    def read_all(self, sources: Sequence[Source]) -> None:
        """Read every source, then let go of what is gone from those that were read to their end."""
        self.known = self._known()
        self.buried = frozenset(letter.key for letter in self.store.dead_letters() if not letter.passage)
        parsers: SimpleQueue[ParserProcess] = SimpleQueue()
        with ExitStack() as stack:
            for _ in range(PARSERS):
                parsers.put(stack.enter_context(ParserProcess(self.how.limits)))
            threads = stack.enter_context(ThreadPoolExecutor(PARSERS, thread_name_prefix="bailiwick-read"))
            counts = [source.count for source in sources]
            total = None if None in counts else sum(count or 0 for count in counts)
            number, began = 0, time.monotonic()
            for source in sources:
                here: set[str] = set()
                whole = True
                for item, loading in self._loading(source, threads, parsers):
                    if item is None:  # the source broke off
                        self._bury(source.scope or source.name, source.name, loading)
                        whole = False
                        continue
                    number += 1
                    here.add(item.source)
                    self.tell.reading(number, total, item.name, began)
                    self._take(source, item, loading)
                    if self.indexing is not None:
                        self.indexing.check()
                self.skipped += source.skipped
                self.tell.skipped = len(self.skipped)
                if whole and source.complete and not self.how.retry_failed:
                    self._prune(source, here)

    def report(self, began: float) -> IngestReport:
        indexing = self.indexing
        return IngestReport(
            added=self.added,
            unchanged=self.unchanged,
            removed=self.removed,
            dead_letters=(*self.dead_letters, *(indexing.refused if indexing else ())),
            held_back=tuple(self.held_back),
            skipped=tuple(self.skipped),
            embedded=indexing.embedded if indexing else 0,
            behind=tuple(indexing.behind) if indexing else (),
            seconds=round(time.monotonic() - began, 3),
            dry_run=self.how.dry_run,
        )

    def _known(self) -> Mapping[str, KnownDocument]:
        return self.store.documents()

    def _loading(
        self, source: Source, threads: ThreadPoolExecutor, parsers: SimpleQueue[ParserProcess]
    ) -> Iterator[tuple[Item | None, Future[_Loaded]]]:
        """Each document with its loading, a few of which are under way; then None with what the source broke off at."""
        under_way: deque[tuple[Item, Future[_Loaded]]] = deque()
        seen: set[str] = set()
        broken: DocumentError | None = None
        items = source.items()
        while True:
            try:
                item = next(items, None)
            except DocumentError as error:
                item, broken = None, error
            if item is None:
                break
            if item.source in seen or (self.how.retry_failed and item.source not in self.buried):
                continue  # an id that comes twice is one document
            seen.add(item.source)
            under_way.append((item, threads.submit(self._load, item, parsers)))
            if len(under_way) >= AHEAD:
                yield under_way.popleft()
        yield from under_way
        if broken is not None:
            failed: Future[_Loaded] = Future()
            failed.set_exception(broken)
            yield None, failed

    def _load(self, item: Item, parsers: SimpleQueue[ParserProcess]) -> _Loaded:
        """In a thread: what the document says now, cut. Raises DocumentError."""
        known = self.known.get(item.source)
        current = known is not None and known.name == item.name and known.digest
        content = item.load(known.validator if known and current else "")
        if content is None:
            return _Loaded()
        digest = content.digest(item.facts, item.link)
        if known and current and known.digest == digest:
            return _Loaded(validator=content.validator)
        if content.sections is not None:
            parsed = Parsed(sections=list(content.sections))
        else:
            parser = parsers.get()
            try:
                parsed = parser.parse(content.suffix, content.data)
            finally:
                parsers.put(parser)
        chunks = cut(item.source, parsed.sections, tenant=self.how.tenant)
        facts = {**parsed.facts, **item.facts}
        return _Loaded(chunks=chunks, digest=digest, validator=content.validator, facts=facts)

    def _take(self, source: Source, item: Item, loading: Future[_Loaded]) -> None:
        """Write what the document says now, without its vectors; or a dead letter."""
        try:
            loaded = loading.result()
        except DocumentError:
            self._bury(item.source, item.name, loading)
            return
        if loaded.chunks is None:
            known = self.known[item.source]
            self.unchanged += known.passages
            if loaded.validator and loaded.validator != known.validator:
                self._validate(item.source, loaded.validator)
            return
        new, stayed, leaving = self._write(source, item, loaded, loaded.chunks)
        self.added += new
        self.unchanged += stayed
        self.removed += leaving

    def _bury(self, key: str, name: str, loading: Future[_Loaded]) -> None:
        error = loading.exception()
        assert isinstance(error, DocumentError)
        self.dead_letters.append(
            self._keep(key, name, f"{error.message} ({error.fix})" if error.fix else error.message)
        )
        self.tell.failed = len(self.dead_letters)

    def _prune(self, source: Source, here: set[str]) -> None:
        """Let go of documents that are gone from the source, unless suspiciously many are.

        A folder that is not mounted, or half copied, looks just like one whose documents were deleted.
        """
        self._unbury(source, here)
        known = self._known_of(source)
        gone = {key: name for key, name in known.items() if key not in here}
        if len(gone) > max(2, len(known) // 2) and not self.how.prune_all:
            self.held_back += sorted(gone.values())
        elif gone:
            self.removed += self._let_go(gone)

    def _known_of(self, source: Source) -> dict[str, str]:
        return self.store.known_in(source.scope) if source.folder is None else self.store.known_below(source.folder)

    # What is written

    def _write(self, source: Source, item: Item, loaded: _Loaded, chunks: list[Chunk]) -> tuple[int, int, int]:
        return self.store.take_in(
            item.source,
            chunks,
            name=item.name,
            digest=loaded.digest,
            facts=loaded.facts,
            link=item.link,
            scope=source.scope,
            validator=loaded.validator,
        )

    def _keep(self, key: str, name: str, reason: str) -> DeadLetter:
        return self.store.bury(key, name, reason)

    def _validate(self, key: str, validator: str) -> None:
        self.store.validate(key, validator)

    def _let_go(self, gone: Mapping[str, str]) -> int:
        return self.store.let_go(gone)

    def _unbury(self, source: Source, here: set[str]) -> None:
        """Forget dead letters of what is there no more, and that of the source itself, which was read to its end."""
        prefix = f"{source.scope}#" if source.folder is None else "" if source.folder == "." else f"{source.folder}/"
        own = {key for key in self.buried if key.startswith(prefix) and key not in here and "://" not in key}
        if source.folder is not None:
            own = {key for key in own if not key[len(prefix) :].startswith("../") and "#" not in key}
        self.store.unbury(own | {source.scope or source.name})


class _DryRun(_Work):
    """The same, with nothing written."""

    def _known(self) -> Mapping[str, KnownDocument]:
        return self.store.documents() if self.store.exists() else {}

    def _known_of(self, source: Source) -> dict[str, str]:
        return super()._known_of(source) if self.store.exists() else {}

    def _write(self, source: Source, item: Item, loaded: _Loaded, chunks: list[Chunk]) -> tuple[int, int, int]:
        before = self.store.passages_of(item.source) if self.store.exists() else set[str]()
        now = {chunk.id for chunk in chunks}
        return len(now - before), len(now & before), len(before - now)

    def _keep(self, key: str, name: str, reason: str) -> DeadLetter:
        return DeadLetter(source=name, reason=reason)

    def _validate(self, key: str, validator: str) -> None:
        return

    def _unbury(self, source: Source, here: set[str]) -> None:
        return

    def _let_go(self, gone: Mapping[str, str]) -> int:
        return sum(len(self.store.passages_of(key)) for key in gone)
