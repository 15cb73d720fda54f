"""Containers without an engine, by bubblewrap."""

from bailiwick.sandbox.bubblewrap.engine import BubblewrapEngine, find_bubblewrap
from bailiwick.sandbox.bubblewrap.limits import Limiter, choose_limiter

__all__ = ["BubblewrapEngine", "Limiter", "choose_limiter", "find_bubblewrap"]
