"""Limits where no cgroup can be made: limits of the process itself, and a thread that counts and kills.

Weaker than a cgroup: between two looks more may be taken than allowed, and CPU is bounded by the time limit alone.
"""

from __future__ import annotations

import os
import re
import resource
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bailiwick.sandbox.environment import RUNNER_PIDS
from bailiwick.sandbox.spec import Spec

__all__ = ["WatchingLimiter", "process_tree"]

_EVERY = 0.02
_INTERPRETER = 96 * 2**20
"""Address space that an interpreter takes before it does anything; little of it is memory."""


class WatchingLimiter:
    """A thread for each container."""

    name = "process limits and a watching thread"
    exact = False

    def guard(self, pid: int, spec: Spec, kill: Callable[[], None]) -> WatchingGuard:
        return WatchingGuard(pid, spec, kill)


class WatchingGuard:
    def __init__(self, pid: int, spec: Spec, kill: Callable[[], None]) -> None:
        self.rlimits: Mapping[str, int] = {"AS": spec.memory + _INTERPRETER}
        if os.getuid() != 0:
            # In a user namespace of its own the kernel (5.14 and later) counts only what is inside.
            self.rlimits = {**self.rlimits, "NPROC": spec.pids + RUNNER_PIDS}
        self._pid, self._spec, self._kill = pid, spec, kill
        self._over_memory = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="bailiwick-limits", daemon=True)
        self._thread.start()

    def limits(self) -> Mapping[str, object]:
        return {"watched": True}

    def overstepped(self) -> bool:
        return self._over_memory

    def close(self) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_EVERY):
            count = used = 0
            for pid in process_tree(self._pid):
                count += 1
                used += _memory(pid)
            self._over_memory = self._over_memory or used > self._spec.memory
            if self._over_memory or count > self._spec.pids + RUNNER_PIDS:
                self._kill()
                return


def process_tree(pid: int) -> Iterator[int]:
    """``pid`` and all its descendants. An orphan is a child of its namespace's first process, so none is missed."""
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        yield one
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:  # it has ended meanwhile
            continue


def _memory(pid: int) -> int:
    """Bytes of memory that ``pid`` takes, its part of what it shares with others; all of it where that is not told."""
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
        if (match := re.search(r"^Pss:\s+(\d+) kB", told, re.MULTILINE)) is not None:
            return int(match[1]) * 1024
    except OSError:  # not for this user's eyes, or gone
        pass
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0
