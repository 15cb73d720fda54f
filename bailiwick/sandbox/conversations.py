"""Containers that are kept for a conversation: its files under /tmp stay from call to call, its processes never do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bailiwick.errors import SandboxFailed
from bailiwick.sandbox.conversation import ask_to_load, hear_loaded
from bailiwick.sandbox.spec import Spec
from bailiwick.sandbox.starting import Ready

__all__ = ["Conversations", "Kept"]

_LOAD_WITHIN = 20.0
_IDLE = 540.0
"""Seconds after which one that nobody speaks to is given up; its runner would end by itself a minute later."""


@dataclass(eq=False)
class Kept:
    """One conversation's container of one spec; None: there is none now. Calls of a conversation take turns."""

    file: str
    turn: threading.Lock = field(default_factory=threading.Lock)
    ready: Ready | None = None
    used: float = field(default_factory=time.monotonic)
    loading: bool = False
    """Whether the runner was asked to load the tool again, and has not been heard since."""

    def load_again(self, ready: Ready) -> None:
        """Let the tool be imported for the next call, while nobody waits for it."""
        container = ready.container
        try:
            ask_to_load(container.channel, self.file, rlimits=container.rlimits, within=_LOAD_WITHIN)
        except SandboxFailed:
            self.ready = None
        else:
            self.loading = True

    def usable(self) -> bool:
        """Whether the container is there, waits, and has mounted what stands there now."""
        if self.ready is None:
            return False
        if self.loading:
            self.loading = False
            try:
                hear_loaded(self.ready.container.channel, within=_LOAD_WITHIN)
            except SandboxFailed:
                return False
        return self.ready.usable()


class Conversations:
    """By spec and conversation. A container is never given to another conversation, and never goes back."""

    def __init__(self, take: Callable[[Spec, str], tuple[Ready, bool]], release: Callable[[Ready], None]) -> None:
        self._take, self._release = take, release
        self._lock = threading.Lock()
        self._kept: dict[tuple[Spec, str, str], Kept] = {}

    @contextmanager
    def turn(self, spec: Spec, thread: str, file: str) -> Generator[tuple[Kept, Ready, bool]]:
        """This conversation's container, to be used alone; set ``kept.ready`` to None to give it up afterwards."""
        with self._lock:
            kept = self._kept.setdefault((spec, thread, file), Kept(file))
        with kept.turn:
            waited = True
            if not kept.usable():
                self._give_up(kept)
            if kept.ready is None:
                kept.ready, waited = self._take(spec, file)
            ready = kept.ready
            try:
                yield kept, ready, waited
            except BaseException:
                kept.ready = None
                raise
            finally:
                kept.used = time.monotonic()
                if kept.ready is None:
                    ready.container.kill()
                    self._release(ready)

    def make_room(self) -> bool:
        """Give up the one that was used longest ago and is idle now; False: there is none."""
        with self._lock:
            for kept in sorted(self._kept.values(), key=lambda each: each.used):
                if kept.ready is not None and kept.turn.acquire(blocking=False):
                    try:
                        ready, kept.ready = kept.ready, None
                    finally:
                        kept.turn.release()
                    ready.destroy()
                    return True
        return False

    def give_up_idle(self) -> None:
        """Give up what nobody has spoken to for long."""
        self._give_up_where(lambda kept: time.monotonic() - kept.used > _IDLE)

    def close(self) -> None:
        self._give_up_where(lambda _: True)

    def _give_up_where(self, wanted: Callable[[Kept], bool]) -> None:
        with self._lock:
            idle = [(key, kept) for key, kept in self._kept.items() if wanted(kept)]
        for key, kept in idle:
            if kept.turn.acquire(blocking=False):
                try:
                    self._give_up(kept)
                    with self._lock:
                        self._kept.pop(key, None)
                finally:
                    kept.turn.release()

    def _give_up(self, kept: Kept) -> None:
        if kept.ready is not None:
            ready, kept.ready = kept.ready, None
            ready.container.kill()
            self._release(ready)
