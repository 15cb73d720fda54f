"""What became of every span, counted by ourselves: OpenTelemetry's ``force_flush`` says True with everything lost."""

from __future__ import annotations

import logging
from threading import Condition

__all__ = ["Tally"]

_log = logging.getLogger("bailiwick.tracing")

ROOM = 4096
"""Spans that may wait to be written down; half of what OpenTelemetry's queue takes, so that it never drops any."""


class Tally:
    """Counts of this process's spans; ``changed`` is notified whenever something moves on."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.lost = 0
        """Spans that Phoenix will never see."""
        self._waiting = 0
        self._said = set[str]()

    def ended(self) -> bool:
        """A span has ended. False: too many wait to be written down, and it was lost."""
        with self.changed:
            if self._waiting < ROOM:
                self._waiting += 1
                return True
        self.lose(1, "spans end faster than they can be written down")
        return False

    def written(self, count: int) -> None:
        """Spans have left the queue, to the disk or, as ``lose`` was told, to nowhere."""
        with self.changed:
            self._waiting -= count
            self.changed.notify_all()

    def lose(self, count: int, why: str) -> None:
        """Spans are lost. The first time for each reason this is said; after that it is only counted."""
        if count <= 0:
            return
        with self.changed:
            self.lost += count
            self.changed.notify_all()
        self.say(f"{count} spans of the trace are lost: {why}")

    def say(self, message: str) -> None:
        """Say in the log what was not said before (numbers aside)."""
        kind = message.lstrip("0123456789")
        with self.changed:
            if kind in self._said:
                return
            self._said.add(kind)
        _log.warning("%s", message)
