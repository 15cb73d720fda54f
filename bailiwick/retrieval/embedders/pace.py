"""How fast a server may be asked, found by being refused.

A server that allows so many requests a second seldom says how many. Asking until it says 429 and then waiting as long
as it wants loses whatever its bucket cannot hold meanwhile. So the rate is searched for: one that was refused is too
high, what the server took between two refusals, waiting included, is not, and halving what lies between finds the rate
in a handful of refusals. There it stays, with a try at a little more once a minute, for limits change.
"""

from __future__ import annotations

import threading
import time

__all__ = ["Pace"]

CLOSE = 1.03
"""How near to each other the bounds must be, as a ratio."""
HOLD_SECONDS = 2.0
"""How long a rate must be taken to count as allowed."""
TRY_AGAIN_SECONDS = 60.0
A_LITTLE_MORE = 1.04
NO_RETRY_AFTER = 1.0
"""Seconds to wait where a refusal does not say."""


class Pace:
    """Shared by the threads that ask one server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        now = time.monotonic()
        self._rate: float | None = None
        self._low, self._high = 0.0, 0.0
        self._next = 0.0
        self._resume = now
        self._refused_at: float | None = None
        self._taken = 0
        """Since the last refusal."""
        self._held_from, self._held = now, 0
        """Since when the rate is what it is, and what was taken since."""

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
        now = time.monotonic()
        with self._lock:
            self._taken += 1
            self._held += 1
            held = now - self._held_from
            if self._rate is None or held < HOLD_SECONDS or self._held < 0.9 * self._rate * held:
                return
            self._low = max(self._low, self._rate)
            if self._high > self._low * CLOSE:
                self._go_at(_between(self._low, self._high), now)
            elif held > TRY_AGAIN_SECONDS:
                self._high = self._low * A_LITTLE_MORE**2
                self._go_at(self._low * A_LITTLE_MORE, now)

    def refused(self, asked_to_wait: float) -> None:
        """A request was refused because there were too many."""
        now = time.monotonic()
        wait = asked_to_wait or NO_RETRY_AFTER
        with self._lock:
            if now < self._resume:  # another of the same salvo
                self._resume = max(self._resume, now + asked_to_wait)
                return
            if self._refused_at is not None:
                # From one refusal to the next its bucket was empty at both ends, so this is what flowed in.
                flowed = self._taken / max(now - self._refused_at, 1e-3)
                sent = self._rate or self._taken / max(now - self._resume, 1e-3)
                self._high = max(sent, flowed * CLOSE)
                self._low = max(self._low, flowed)
                if self._low >= self._high:  # it allows less than it did
                    self._low = self._high / 2
                near = self._high <= self._low * CLOSE
                self._go_at(self._low if near else _between(self._low, self._high), now + wait)
            self._refused_at, self._taken = now, 0
            self._resume = now + wait

    def _go_at(self, rate: float, now: float) -> None:
        self._rate = max(rate, 0.01)
        self._held_from, self._held = now, 0

    def _take_turn(self, now: float) -> float:
        """Seconds to wait; 0: the turn is taken."""
        if now < self._resume:
            return self._resume - now
        if self._rate is None:
            return 0.0
        # A thread that comes a little late may catch up; one that was away may not.
        turn = max(self._next, now - 2 / self._rate)
        if turn > now:
            return turn - now
        self._next = turn + 1 / self._rate
        return 0.0


def _between(low: float, high: float) -> float:
    return (low * high) ** 0.5 if high > 4 * low > 0 else (low + high) / 2
