"""A circuit breaker: a model that fails again and again is left alone for a while, then asked once to see.

After M. Nygard, "Release It!". Written here because the libraries let every waiting request through when the time is
up, or count a refusal that is the caller's own fault, and none takes a server's Retry-After as the time to wait.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock

__all__ = ["Breaker", "Resting"]

LONGEST = 300.0
"""Seconds; the wait doubles with every probe that fails, up to this."""


@dataclass(frozen=True, kw_only=True)
class Resting:
    """Not to be asked for ``seconds`` more, and why."""

    seconds: float
    why: str


class Breaker:
    """Closed while all is well; open after ``failures`` in a row; one probe at a time once ``seconds`` have passed."""

    def __init__(self, *, failures: int, seconds: float) -> None:
        self._failures = failures
        self._seconds = seconds
        self._lock = Lock()
        self._in_a_row = 0
        self._opened = 0
        """How often in a row it was opened."""
        self._until = 0.0
        self._why = ""
        self._probing = False

    def admit(self) -> Resting | None:
        """None: ask, and report by ``succeeded``, ``failed`` or ``unknown``."""
        with self._lock:
            if not self._why:
                return None
            left = self._until - time.monotonic()
            if left > 0 or self._probing:
                return Resting(seconds=max(left, 0.0), why=self._why)
            self._probing = True
            return None

    def succeeded(self) -> None:
        """It answered, be it by refusing what it was asked."""
        with self._lock:
            self._in_a_row = self._opened = 0
            self._why, self._probing = "", False

    def failed(self, why: str) -> None:
        """It is the model or the way to it that is in trouble."""
        with self._lock:
            self._in_a_row += 1
            if self._probing or self._in_a_row >= self._failures:
                self._open(min(LONGEST, self._seconds * 2**self._opened), why)
                self._opened += 1

    def unknown(self) -> None:
        """It was asked and left before it could answer."""
        with self._lock:
            self._probing = False

    def rest(self, seconds: float, why: str) -> None:
        """It asked for that long a pause itself."""
        with self._lock:
            self._open(min(LONGEST, seconds), why)

    def _open(self, seconds: float, why: str) -> None:
        self._until, self._why, self._probing = time.monotonic() + seconds, why, False
