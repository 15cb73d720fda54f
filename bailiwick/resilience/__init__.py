"""Deadlines, and the door between synchronous and asynchronous code."""

from bailiwick.resilience.deadline import deadline, require, seconds_left
from bailiwick.resilience.sync_door import run_sync

__all__ = ["deadline", "require", "run_sync", "seconds_left"]
