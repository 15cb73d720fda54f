"""Deadlines, work that is not left half done, and the door between synchronous and asynchronous code."""

from bailiwick.resilience.deadline import deadline, require, seconds_left
from bailiwick.resilience.refusals import asked_to_wait, may_pass, no_answer, status_of
from bailiwick.resilience.sync_door import run_sync
from bailiwick.resilience.to_its_end import to_its_end

__all__ = [
    "asked_to_wait",
    "deadline",
    "may_pass",
    "no_answer",
    "require",
    "run_sync",
    "seconds_left",
    "status_of",
    "to_its_end",
]
