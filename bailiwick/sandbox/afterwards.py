"""Work that nobody waits for: removing containers takes 10 to 100 ms, away from the call's path."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

__all__ = ["Afterwards"]

_LATER = 0.05
"""Seconds until something is begun: what has just ended is an answer on its way, and the interpreter has one lock."""


class Afterwards:
    """One thread that does what it is given, in order, a moment later. What it is given does not raise."""

    def __init__(self, name: str) -> None:
        self._waiting: queue.SimpleQueue[tuple[float, Callable[[], None]] | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        # A daemon: a program that forgets to close must still be able to end; its containers end by themselves.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def add(self, work: Callable[[], None]) -> None:
        self._waiting.put((time.monotonic() + _LATER, work))

    def close(self) -> None:
        """Wait until everything that was added is done. Safe to call twice."""
        self._closing.set()
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (given := self._waiting.get()) is not None:
            due, work = given
            self._closing.wait(max(0.0, due - time.monotonic()))
            work()
