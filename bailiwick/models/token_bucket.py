"""A token bucket that says beforehand how long the wait is.

LangChain's ``InMemoryRateLimiter`` counts requests only, looks every tenth of a second whether it may go on, and cannot
say that the wait is longer than the turn; here who would wait too long is told at once and takes nothing.
"""

from __future__ import annotations

import time
from threading import Lock

__all__ = ["TokenBucket"]

BURST_SECONDS = 10.0


class TokenBucket:
    """``per_minute`` tokens flow in evenly; up to ten seconds' worth are kept for a burst, and at least one.

    A request larger than what is kept is let through and the next ones wait for it.
    """

    def __init__(self, per_minute: float) -> None:
        self._rate = per_minute / 60
        self._most = max(1.0, self._rate * BURST_SECONDS)
        self._level = self._most
        self._at = time.monotonic()
        self._lock = Lock()

    def take(self, tokens: float, *, at_most: float) -> tuple[float, bool]:
        """Seconds to wait before going on, and whether that is within ``at_most``; if not, nothing was taken."""
        with self._lock:
            self._flow()
            short = min(tokens, self._most) - self._level
            wait = max(0.0, short / self._rate)
            if wait > at_most:
                return wait, False
            self._level -= tokens
            return wait, True

    def charge(self, tokens: float) -> None:
        """Take what was used besides, or give back (below 0) what was not."""
        with self._lock:
            self._flow()
            self._level = min(self._most, self._level - tokens)

    def _flow(self) -> None:
        now = time.monotonic()
        self._level = min(self._most, self._level + (now - self._at) * self._rate)
        self._at = now
