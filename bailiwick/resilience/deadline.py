"""One deadline for a turn, handed down to every step.

Written here because a LangGraph node timeout refuses synchronous nodes and none of the retry libraries carries a
deadline across rooms. The moment is kept in monotonic time, so that a changed clock moves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from bailiwick.errors import DeadlineExceeded

__all__ = ["deadline", "require", "seconds_left"]

_ends: ContextVar[float | None] = ContextVar("bailiwick_deadline", default=None)


@contextmanager
def deadline(seconds: float | None) -> Generator[None]:
    """End everything inside within ``seconds``; an outer, earlier deadline stays in force. None adds none."""
    outer = _ends.get()
    ends = None if seconds is None else time.monotonic() + seconds
    token = _ends.set(min((moment for moment in (outer, ends) if moment is not None), default=None))
    try:
        yield
    finally:
        _ends.reset(token)


def seconds_left(at_most: float) -> float:
    """Seconds a step may take: what is left of the deadline, and never more than ``at_most``. Never negative."""
    ends = _ends.get()
    return at_most if ends is None else max(0.0, min(at_most, ends - time.monotonic()))


def require(step: str, *, at_least: float = 0.001) -> None:
    """Raise ``DeadlineExceeded`` naming ``step`` when less than ``at_least`` seconds are left for it."""
    if seconds_left(at_least) < at_least:
        raise DeadlineExceeded(f"no time is left for {step}", fix="give the turn a longer deadline")
