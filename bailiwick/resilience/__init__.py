"""Deadlines, work that is not left half done, and the door between synchronous and asynchronous code."""

from bailiwick.resilience.deadline import deadline, require, seconds_left
from bailiwick.resilience.sync_door import run_sync
from bailiwick.resilience.to_its_end import to_its_end

__all__ = ["deadline", "require", "run_sync", "seconds_left", "to_its_end"]
