"""How fast a server may be asked, found by being refused.

A server that allows so many requests a second seldom says how many. Asking until it says 429 and then waiting as long
as it wants loses whatever its bucket cannot hold meanwhile; so what it took between two refusals is measured, and the
requests are spread at that rate, creeping up until the next refusal (additive increase, multiplicative decrease: Chiu
and Jain, 1989). Time that was spent waiting may be caught up on, as long as the server does not refuse that.
"""

from __future__ import annotations

import threading
import time

__all__ = ["Pace"]

CREEP_PER_SECOND = 0.001
RAMP_PER_SECOND = 0.02
"""Where there was no refusal for long: the server may allow more by now."""
LONG = 60.0
BACK = 0.97
NO_RETRY_AFTER = 1.0
"""Seconds to wait where a refusal does not say."""


class Pace:
    """Shared by the threads that ask one server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rate: float | None = None
        self._rated_at = 0.0
        self._next = 0.0
        self._resume = 0.0
        self._slack = 1.0
        self._counted_from = time.monotonic()
        self._accepted = 0
        self._refusals = 0

    @property
    def per_second(self) -> float | None:
        """Requests a second as found so far. None: it never refused twice."""
        with self._lock:
            return self._rate

    def wait(self, stop: threading.Event) -> None:
        """Return when the next request may go out, or ``stop`` is set."""
        while not stop.is_set():
            with self._lock:
                seconds = self._take_turn(time.monotonic())
            if seconds <= 0:
                return
            stop.wait(seconds)

    def accepted(self) -> None:
        """A request was answered, whatever the answer."""
        with self._lock:
            self._accepted += 1

    def refused(self, asked_to_wait: float) -> None:
        """A request was refused because there were too many."""
        now = time.monotonic()
        with self._lock:
            if now < self._resume:  # another of the same salvo
                self._resume = max(self._resume, now + asked_to_wait)
                return
            since = now - self._counted_from
            self._refusals += 1
            if self._refusals > 1 and since > 0:
                measured = self._accepted / since
                self._rate = max(measured, (self._rate or 0.0) * BACK)
                self._rated_at = now
                if now - self._resume < 0.5:
                    self._slack /= 2
            self._counted_from, self._accepted = now, 0
            self._resume = now + (asked_to_wait or NO_RETRY_AFTER)

    def _take_turn(self, now: float) -> float:
        """Seconds to wait; 0: the turn is taken."""
        if now < self._resume:
            return self._resume - now
        if self._rate is None:
            return 0.0
        rate = self._rate * (1 + self._gain(now - self._rated_at))
        turn = max(self._next, now - self._slack)
        if turn > now:
            return turn - now
        self._next = turn + 1 / max(rate, 0.01)
        return 0.0

    def _gain(self, quiet: float) -> float:
        return quiet * CREEP_PER_SECOND + max(0.0, quiet - LONG) * RAMP_PER_SECOND
