"""How fast a server may be asked, found by being refused.

A server that allows so many requests a second seldom says how many. Asking until it says 429 and then waiting as long
as it wants loses whatever its bucket cannot hold meanwhile. So the rate is searched for: up in growing steps while it
is taken, then by halving between what was taken and what was refused, and there it stays, with a try at a little more
now and then, for limits change. How often depends on how long a refusal makes everybody wait.
"""

from __future__ import annotations

import math
import threading
import time

__all__ = ["Pace"]

CLOSE = 1.02
"""How near to each other the bounds must be, as a ratio."""
HOLD_SECONDS, HOLD_REQUESTS = 2.0, 10
"""How long a rate must be taken to count as allowed: whichever is longer."""
TRY_AGAIN_SECONDS = 60.0
WAITS_APART = 100
"""A try that is refused may cost one part in so many."""
SEARCHING_STEP, FIRST_STEP, LARGEST_STEP = 1.4, 1.02, 2.0
FIRST_CUT, LARGEST_CUT = 0.98, 0.5
NO_RETRY_AFTER = 1.0
"""Seconds to wait where a refusal does not say."""


class Pace:
    """Shared by the threads that ask one server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        now = time.monotonic()
        self._rate: float | None = None
        self._low, self._high = 0.0, math.inf
        self._found = False
        """Whether the first search has come to its end."""
        self._step, self._cut = SEARCHING_STEP, FIRST_CUT
        self._next = 0.0
        self._resume = now
        self._wait = NO_RETRY_AFTER
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
            if self._rate is None or self._held < HOLD_REQUESTS or held < HOLD_SECONDS:
                return
            if self._held < 0.9 * self._rate * held:  # it could have been faster, and was not asked to be
                self._held_from, self._held = now, 0
                return
            self._low = max(self._low, self._rate)
            if self._high == math.inf:
                self._step = min(self._step**2, LARGEST_STEP)
                self._go_at(self._low * self._step, now)
            elif self._high > self._low * CLOSE:
                self._go_at((self._low + self._high) / 2, now)
            elif not self._found:
                self._found = True
            elif held > max(TRY_AGAIN_SECONDS, WAITS_APART * self._wait):
                self._high, self._step, self._cut = math.inf, FIRST_STEP, FIRST_CUT
                self._go_at(self._low * self._step, now)

    def refused(self, asked_to_wait: float) -> None:
        """A request was refused because there were too many."""
        now = time.monotonic()
        with self._lock:
            if now < self._resume:  # another of the same salvo
                self._resume = max(self._resume, now + asked_to_wait)
                return
            self._wait = asked_to_wait or NO_RETRY_AFTER
            self._resume = now + self._wait
            if self._refused_at is not None:
                # From one refusal to the next its bucket was empty at both ends, so this is what flowed in, at least.
                self._lower(self._taken / max(now - self._refused_at, 1e-3), now)
            self._refused_at, self._taken = now, 0
            self._next = self._resume

    def _lower(self, flowed: float, now: float) -> None:
        if self._rate is None:
            self._low = flowed
            self._go_at(flowed * self._step, self._resume)
        elif self._rate > self._low:
            self._high = self._rate
            if self._found or self._high <= self._low * CLOSE:
                # What it was at before is known to be taken; another try now would only cost another wait.
                self._found, self._high = True, self._low
                self._go_at(self._low, self._resume)
            else:
                self._go_at((self._low + self._high) / 2, self._resume)
        else:
            # It allows less than it did, or a few requests came too close together.
            soon = now - self._held_from < 2 * HOLD_SECONDS + self._wait
            self._cut = max(self._cut**2, LARGEST_CUT) if soon else FIRST_CUT
            self._low *= self._cut
            self._found, self._high = True, self._low
            self._go_at(self._low, self._resume)

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
        turn = max(self._next, now - 0.5 / self._rate)
        if turn > now:
            return turn - now
        self._next = turn + 1 / self._rate
        return 0.0
