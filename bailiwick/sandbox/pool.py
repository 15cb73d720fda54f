"""Containers that wait for their call. Taking one is a pop; no engine is asked on the way of a call.

A container serves one call and is never given to another. How many wait follows what is asked for, by Little's law:
calls a second times the seconds that a container takes to get ready, and never fewer than the floor.
"""

from __future__ import annotations

import itertools
import math
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field

from bailiwick.errors import AttestationFailed, PoolExhausted, SandboxError, SandboxFailed, SandboxRefused
from bailiwick.sandbox.pool_settings import PoolSettings
from bailiwick.sandbox.spec import Spec
from bailiwick.sandbox.starting import Ready, Starter

__all__ = ["Pool"]

_WINDOW = 10.0
"""Seconds over which calls are counted."""
_HEADROOM = 1.5
"""Times the mean demand that waits: calls do not come evenly."""
_TICK = 0.1
_LATER = 0.02
"""Seconds after a call until its container is replaced: its answer is still on the way."""
_RECONCILE_EVERY = 60.0
_TRIES = 6
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_URGENT, _REFILL = 0, 1

_Job = tuple[int, int, "_Shelf | None"]


@dataclass(eq=False)
class _Shelf:
    """Containers of one spec with one file loaded, those who wait for one, and how often that happens."""

    spec: Spec
    file: str
    ready: deque[Ready] = field(default_factory=deque[Ready])
    callers: deque[Future[Ready]] = field(default_factory=deque["Future[Ready]"])
    starting: int = 0
    takes: deque[float] = field(default_factory=lambda: deque[float](maxlen=1024))
    took: float = 0.2
    prepared: bool = False
    failures: int = 0
    quiet_until: float = 0.0


class Pool:
    """Thread-safe. ``make_room`` gives up a container that is idle in somebody's keeping, and says whether it did."""

    def __init__(
        self,
        starter: Starter,
        settings: PoolSettings,
        *,
        reconcile: Callable[[], object],
        make_room: Callable[[], bool] = lambda: False,
    ) -> None:
        self._starter, self._settings = starter, settings
        self._reconcile, self._make_room = reconcile, make_room
        self._lock = threading.Lock()
        self._shelves: dict[tuple[Spec, str], _Shelf] = {}
        self._in_use = 0
        self._closed = False
        self._being_started = 0
        self._none_being_started = threading.Condition(self._lock)
        self._numbers = itertools.count()
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._awake, self._asleep = threading.Event(), False
        self._starters = [
            threading.Thread(target=self._start_forever, name=f"bailiwick-starter-{n}", daemon=True)
            for n in range(max(2, min(4, os.cpu_count() or 2)))
        ]
        self._keeper = threading.Thread(target=self._keep, name="bailiwick-pool", daemon=True)
        for thread in (*self._starters, self._keeper):
            thread.start()

    def prepare(self, spec: Spec, file: str) -> None:
        """Let the floor wait from now on. Returns at once; a start that fails is tried again later."""
        with self._lock:
            if not self._closed and self._settings.floor:
                self._shelf(spec, file).prepared = True
        self._awake.set()

    def take(self, spec: Spec, file: str) -> tuple[Ready, bool]:
        """A container that is the caller's alone until ``release``, and whether it had been waiting.

        Raises PoolExhausted when none became free in time, and what starting one raised.
        """
        now = time.monotonic()
        with self._lock:
            if self._closed:
                raise SandboxFailed("this sandbox was closed", fix="open another")
            shelf = self._shelf(spec, file)
            shelf.takes.append(now)
            if self._asleep:
                self._awake.set()
            while shelf.ready:
                ready = shelf.ready.popleft()
                if ready.usable():
                    self._in_use += 1
                    return ready, True
                ready.destroy()
            caller: Future[Ready] = Future()
            shelf.callers.append(caller)
            self._want(shelf, _URGENT)
        try:
            return caller.result(self._settings.wait), False
        except TimeoutError:
            return self._too_late(shelf, caller), False
        except CancelledError:
            raise SandboxFailed("this sandbox was closed", fix="open another") from None

    def release(self, ready: Ready) -> None:
        """Its call is over, and so is it."""
        ready.destroy()
        with self._lock:
            self._in_use -= 1
            self._serve_callers()
        self._awake.set()

    def close(self) -> None:
        """End what waits. Who waits for a container is told; what is in use stays its user's to release."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            waiting = [ready for shelf in self._shelves.values() for ready in shelf.ready]
            callers = [caller for shelf in self._shelves.values() for caller in shelf.callers]
            self._shelves.clear()
        for caller in callers:
            caller.cancel()
        for ready in waiting:
            ready.destroy()
        self._awake.set()

    def settle(self) -> None:
        """Wait, after ``close``, until no container is being started, so that the engine knows of all there are."""
        with self._none_being_started:
            self._none_being_started.wait_for(lambda: self._being_started == 0)

    def join(self) -> None:
        """End the threads, after ``close`` and the engine: bubblewrap's containers end with their starter's thread."""
        for _ in self._starters:
            self._jobs.put((_REFILL, next(self._numbers), None))
        for thread in (*self._starters, self._keeper):
            thread.join()

    def _shelf(self, spec: Spec, file: str) -> _Shelf:
        key = (spec, file)
        if (found := self._shelves.get(key)) is None:
            found = self._shelves[key] = _Shelf(spec, file)
        return found

    def _too_late(self, shelf: _Shelf, caller: Future[Ready]) -> Ready:
        with self._lock:
            if caller.done():  # it came in this very moment
                return caller.result()
            shelf.callers.remove(caller)
            used, most = self._in_use, self._settings.most
        if used >= most:
            message = f"{used} containers are in use, which is the most, and none became free in"
        else:
            message = f"no container was ready ({used} of {most} are in use) in"
        raise PoolExhausted(
            f"{message} {self._settings.wait:g} s",
            fix="raise BAILIWICK_POOL_MOST (containers at once) or BAILIWICK_POOL_WAIT (seconds), or call less at once",
        )

    def _alive(self) -> int:
        return self._in_use + sum(len(shelf.ready) + shelf.starting for shelf in self._shelves.values())

    def _want(self, shelf: _Shelf, urgency: int) -> None:
        """Order as many starts as are missing, as far as there is room. Called under the lock."""
        missing = len(shelf.callers) - shelf.starting
        if urgency == _REFILL:
            missing += self._target(shelf) - len(shelf.ready)
        for _ in range(missing):
            if self._alive() >= self._settings.most and not (urgency == _URGENT and self._find_room(shelf)):
                return
            shelf.starting += 1
            self._jobs.put((urgency, next(self._numbers), shelf))

    def _find_room(self, shelf: _Shelf) -> bool:
        """Give up a container that waits for another spec, or is idle in a conversation."""
        others = [each for each in self._shelves.values() if each is not shelf and each.ready]
        if others:
            oldest = min(others, key=lambda each: each.ready[0].since)
            oldest.ready.popleft().destroy()
            return True
        if self._make_room():
            self._in_use -= 1
            return True
        return False

    def _serve_callers(self) -> None:
        for shelf in self._shelves.values():
            if shelf.callers:
                self._want(shelf, _URGENT)

    def _target(self, shelf: _Shelf) -> int:
        """How many should wait: rate × time to get ready, with headroom; the floor where calls are to be expected."""
        now = time.monotonic()
        recent = sum(1 for taken in shelf.takes if now - taken < _WINDOW)
        mean = recent / _WINDOW * shelf.took
        again = len(shelf.takes) > 1 and now - shelf.takes[-2] < self._settings.age
        floor = self._settings.floor if shelf.prepared or again else 0
        return min(self._settings.most, max(floor, math.ceil(mean * _HEADROOM) if mean > 0.1 else 0))

    def _start_forever(self) -> None:
        while True:
            shelf = self._jobs.get()[2]
            if shelf is None:
                return
            self._start_one(shelf)

    def _start_one(self, shelf: _Shelf) -> None:
        with self._lock:
            needed = bool(shelf.callers) or len(shelf.ready) < self._target(shelf)
            if self._closed or not needed:
                shelf.starting -= 1
                return
            self._being_started += 1
        try:
            self._start_for(shelf)
        finally:
            with self._none_being_started:
                self._being_started -= 1
                self._none_being_started.notify_all()

    def _start_for(self, shelf: _Shelf) -> None:
        try:
            ready = self._starter.start(shelf.spec, shelf.file)
        except SandboxError as error:
            self._failed(shelf, error)
        except Exception as error:  # noqa: BLE001  a starter that dies would leave callers without an answer
            self._failed(shelf, SandboxRefused(f"a container could not be started: {type(error).__name__}: {error}"))
        else:
            self._started(shelf, ready)

    def _started(self, shelf: _Shelf, ready: Ready) -> None:
        with self._lock:
            shelf.starting -= 1
            shelf.failures = 0
            shelf.took = 0.7 * shelf.took + 0.3 * ready.took
            closed = self._closed
            caller = shelf.callers.popleft() if shelf.callers else None
            if not closed and caller is not None:
                self._in_use += 1
                caller.set_result(ready)
            elif not closed:
                shelf.ready.append(ready)
        if closed:
            ready.destroy()

    def _failed(self, shelf: _Shelf, error: SandboxError) -> None:
        """An engine that is being started again comes back: try again for some seconds, then say what it says."""
        lasting = isinstance(error, (SandboxRefused, AttestationFailed)) or not isinstance(error, SandboxFailed)
        with self._lock:
            shelf.starting -= 1
            shelf.failures += 1
            shelf.quiet_until = time.monotonic() + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (shelf.failures - 1))
            told: list[Future[Ready]] = []
            if lasting or shelf.failures >= _TRIES or self._closed:
                told = list(shelf.callers)
                shelf.callers.clear()
        for caller in told:
            caller.set_exception(error)
        self._awake.set()

    def _keep(self) -> None:
        """Refill, grow, shrink and renew; a while after a call rather than in it."""
        reconciled = time.monotonic()
        while not self._closed:
            self._asleep = not self._look_after()
            if self._awake.wait(_RECONCILE_EVERY if self._asleep else _TICK):
                time.sleep(_LATER)
            self._awake.clear()
            if time.monotonic() - reconciled >= _RECONCILE_EVERY:
                self._reconcile()
                reconciled = time.monotonic()

    def _look_after(self) -> bool:
        """One round; whether another should follow soon."""
        now = time.monotonic()
        gone: list[Ready] = []
        busy = False
        with self._lock:
            for key, shelf in list(self._shelves.items()):
                while shelf.ready and now - shelf.ready[0].since > self._settings.age:
                    gone.append(shelf.ready.popleft())
                target = self._target(shelf)
                while len(shelf.ready) > target and now - shelf.ready[0].since > _WINDOW:
                    gone.append(shelf.ready.popleft())
                if now >= shelf.quiet_until:
                    self._want(shelf, _REFILL)
                lately = bool(shelf.takes) and now - shelf.takes[-1] < _WINDOW
                busy = busy or lately or shelf.starting > 0 or bool(shelf.callers) or len(shelf.ready) > target
                busy = busy or len(shelf.ready) < target
                old = not shelf.takes or now - shelf.takes[-1] > self._settings.age
                if old and not (shelf.ready or shelf.callers or shelf.starting or shelf.prepared):
                    del self._shelves[key]
        for ready in gone:
            ready.destroy()
        return busy
