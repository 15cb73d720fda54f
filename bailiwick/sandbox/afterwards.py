"""Work that nobody waits for: removing containers takes 10 to 100 ms, away from the call's path."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

__all__ = ["Afterwards"]


class Afterwards:
    """One thread that does what it is given, in order. What it is given does not raise."""

    def __init__(self, name: str) -> None:
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        # A daemon: a program that forgets to close must still be able to end; its containers end by themselves.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def add(self, work: Callable[[], None]) -> None:
        self._waiting.put(work)

    def close(self) -> None:
        """Wait until everything that was added is done. Safe to call twice."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (work := self._waiting.get()) is not None:
            work()
