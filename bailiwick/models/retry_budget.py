"""Retries are a share of requests, so that a model in trouble is not asked several times as much as a healthy one.

After Finagle's ``RetryBudget`` and the retry throttling of gRPC (proposal A6). tenacity bounds the attempts of one
request and knows nothing of the others.
"""

from __future__ import annotations

from threading import Lock

__all__ = ["RetryBudget"]

MOST = 10.0


class RetryBudget:
    """Each request adds ``share``, each retry takes one; ten are there to begin with, and never more."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._left = MOST if share else 0.0
        self._lock = Lock()

    def add(self) -> None:
        """A request was made that is no retry."""
        with self._lock:
            self._left = min(MOST, self._left + self._share)

    def take(self) -> bool:
        """Whether a retry may be made; it is then counted."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True
