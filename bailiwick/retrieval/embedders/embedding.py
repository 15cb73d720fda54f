"""All texts embedded, each exactly once, by an embedder that may refuse, stall, break off, or choke on one of them."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from bailiwick.errors import BailiwickError, EmbedderUnavailable
from bailiwick.resilience import asked_to_wait, may_pass, status_of
from bailiwick.retrieval.embedders.embedder import Embedder, Vectors, manners_of
from bailiwick.retrieval.embedders.pace import Pace

__all__ = ["Embedding"]

ATTEMPTS = 4
"""At one batch, before it is taken apart to find the text that is to blame."""
PATIENCE_SECONDS = 120.0
"""Without any answer, before the embedder counts as gone."""
MOST_REFUSALS_IN_A_ROW = 20
"""With nothing taken between them: then it is not the texts that are to blame."""
SLOW_SECONDS = 10.0
QUICK_SECONDS = 2.0

_TOO_MANY = {429}
_TOO_LARGE = {413}
_OUR_FAULT = {401, 403, 404, 405}
"""The same for every text: a key, a name, an address."""


@dataclass(kw_only=True)
class _Batch:
    texts: Mapping[str, str]
    """By what they are known as."""
    attempts: int = 0
    not_before: float = 0.0
    born: float = field(default_factory=time.monotonic)


class Embedding:
    """Threads that ask ``embedder``; a context, which on leaving it cleanly waits until everything is embedded.

    ``on_made`` is called with every answer as it comes, and ``on_refused`` with a text that the embedder will not take,
    however alone, and why; both from any of the threads, and each text is given to one of them once. A 429 slows all
    threads down to what the server takes; what is too large is halved; a batch that keeps failing while others are
    answered is halved until the one text is found.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        on_made: Callable[[dict[str, Vectors]], None],
        on_refused: Callable[[str, str], None],
        patience: float | None = None,
    ) -> None:
        self._embedder = embedder
        self._manners = manners_of(embedder)
        self._on_made = on_made
        self._on_refused = on_refused
        self._patience = PATIENCE_SECONDS if patience is None else patience
        self._pace = Pace()
        self._waiting: deque[_Batch] = deque()
        self._at_work = 0
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._fatal: BaseException | None = None
        self._answered_at = time.monotonic()
        self._dimensions = 0
        self._refusals_in_a_row = 0
        self._size = float(self._manners.texts_at_once)
        self._threads = [
            threading.Thread(target=self._work, name=f"bailiwick-embed-{number}", daemon=True)
            for number in range(self._manners.requests_at_once)
        ]

    @property
    def texts_at_once(self) -> int:
        """How many texts one request should have, as far as known."""
        return max(1, int(self._size))

    def submit(self, texts: Mapping[str, str]) -> None:
        """Embed these. Waits while enough others do. Raises EmbedderUnavailable, and what the embedder raised."""
        with self._changed:
            while len(self._waiting) >= 2 * len(self._threads) and self._fatal is None:
                self._changed.wait()
            self._check()
            self._answered_at = max(self._answered_at, time.monotonic() if not self._at_work else 0.0)
            self._waiting.append(_Batch(texts=texts))
            self._changed.notify_all()

    def finish(self) -> None:
        """Wait until everything is embedded or refused. Raises as ``submit``."""
        with self._changed:
            while (self._waiting or self._at_work) and self._fatal is None:
                self._changed.wait()
            self._check()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.finish()
        finally:
            self._stop.set()
            with self._changed:
                self._changed.notify_all()
            for thread in self._threads:
                # One that still waits for a server is left to it: what it brings nobody takes any more.
                thread.join(timeout=None if error is None else 1.0)

    def _check(self) -> None:
        if self._fatal is not None:
            raise self._fatal

    # What the threads do

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            try:
                self._pace.wait(self._stop)
                if not self._stop.is_set():
                    self._try(batch)
            except BaseException as error:  # noqa: BLE001  told to whoever waits
                with self._changed:
                    self._fatal = self._fatal or error
                    self._stop.set()
            finally:
                with self._changed:
                    self._at_work -= 1
                    self._changed.notify_all()

    def _next(self) -> _Batch | None:
        with self._changed:
            while not self._stop.is_set():
                now = time.monotonic()
                ready = next((at for at, batch in enumerate(self._waiting) if batch.not_before <= now), None)
                if ready is not None:
                    batch = self._waiting[ready]
                    del self._waiting[ready]
                    self._at_work += 1
                    self._changed.notify_all()
                    return batch
                soonest = min((batch.not_before - now for batch in self._waiting), default=None)
                self._changed.wait(soonest)
        return None

    def _try(self, batch: _Batch) -> None:
        began = time.monotonic()
        try:
            vectors = self._checked(batch, self._embedder.embed_passages(list(batch.texts.values())))
        except BailiwickError:
            raise
        except Exception as error:  # noqa: BLE001  each provider's client has errors of its own
            self._failed(batch, error)
            return
        self._pace.accepted()
        took = time.monotonic() - began
        self._on_made(dict(zip(batch.texts, vectors, strict=True)))
        with self._changed:
            self._answered_at = time.monotonic()
            self._refusals_in_a_row = 0
            if took > SLOW_SECONDS:
                self._size = max(1.0, min(self._size, len(batch.texts)) / 2)
            elif took < QUICK_SECONDS:
                self._size = min(float(self._manners.texts_at_once), self._size + 1)

    def _checked(self, batch: _Batch, vectors: Vectors) -> Vectors:
        """Raises ValueError for what is no answer to the question."""
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(batch.texts):
            raise ValueError(f"{len(batch.texts)} texts were answered with vectors of the shape {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError("a vector has values that are no numbers")
        with self._changed:
            self._dimensions = self._dimensions or vectors.shape[1]
            if vectors.shape[1] != self._dimensions:
                raise ValueError(f"vectors of {vectors.shape[1]} dimensions among those of {self._dimensions}")
        return vectors

    def _failed(self, batch: _Batch, error: Exception) -> None:
        status = status_of(error)
        now = time.monotonic()
        if status in _TOO_MANY:
            self._pace.refused(asked_to_wait(error))
            if now - self._answered_at > self._patience + asked_to_wait(error):
                raise self._unavailable(error) from error
            self._again(batch, 0.0)
            return
        if status is not None:
            self._pace.accepted()
        if status in _OUR_FAULT:
            raise self._unavailable(error) from error
        if status in _TOO_LARGE:
            with self._changed:
                self._size = max(1.0, min(self._size, len(batch.texts) / 2))
            self._halve(batch, error)
            return
        batch.attempts += 1
        if may_pass(error):
            alive = self._answered_at > batch.born
            if batch.attempts < ATTEMPTS or (status is None and not alive):
                if now - self._answered_at > self._patience:
                    raise self._unavailable(error) from error
                pause = asked_to_wait(error) or min(20.0, 0.25 * 2**batch.attempts) * random.uniform(0.5, 1.0)  # noqa: S311
                self._again(batch, pause)
                return
            if len(batch.texts) == 1 and not alive:
                raise self._unavailable(error) from error
        self._halve(batch, error)

    def _again(self, batch: _Batch, seconds: float) -> None:
        batch.not_before = time.monotonic() + seconds
        with self._changed:
            self._waiting.appendleft(batch)
            self._changed.notify_all()

    def _halve(self, batch: _Batch, error: Exception) -> None:
        """Ask for each half; a single text that still fails is refused."""
        texts = list(batch.texts.items())
        if len(texts) == 1:
            with self._changed:
                self._refusals_in_a_row += 1
                in_a_row = self._refusals_in_a_row
            if in_a_row > MOST_REFUSALS_IN_A_ROW:
                raise self._unavailable(error) from error
            said = (str(error).splitlines() or [""])[0][:200]
            self._on_refused(texts[0][0], f"the embedder refuses it: {type(error).__name__}: {said}")
            return
        middle = len(texts) // 2
        # Each half is tried once less: what is to blame has had its chances.
        attempts = min(batch.attempts, ATTEMPTS - 2)
        halves = [_Batch(texts=dict(half), attempts=attempts) for half in (texts[:middle], texts[middle:])]
        with self._changed:
            self._waiting.extendleft(reversed(halves))
            self._changed.notify_all()

    def _unavailable(self, error: Exception) -> EmbedderUnavailable:
        said = (str(error).splitlines() or [""])[0][:300]
        return EmbedderUnavailable(
            f"the embedder {self._embedder.name!r} does not answer: {type(error).__name__}: {said}",
            fix="see to it and ingest again; what was embedded until now is kept",
        )
