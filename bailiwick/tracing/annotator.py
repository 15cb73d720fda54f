"""Tells Phoenix of new error paths, in the background. A span can be annotated only once Phoenix has stored it."""

from __future__ import annotations

import sqlite3
import threading
import time
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_result, stop_when_event_set, wait_exponential

from bailiwick.tracing.phoenix_http import PhoenixHttp

if TYPE_CHECKING:
    from bailiwick.tracing.error_store import ErrorStore, PendingAnnotation

__all__ = ["NAME", "Annotator"]

NAME = "new_error_path"
"""The annotation's name; Phoenix's chip shows it with the score and nothing else, so it says "new" itself."""

GIVE_UP = 7 * 24 * 3600.0
"""Seconds after which the span of an annotation is taken for lost."""


class Annotator:
    """One thread that sends what is pending in ``store``; what it cannot send stays there for the next process."""

    def __init__(self, store: ErrorStore, endpoint: str) -> None:
        self._store = store
        self._endpoint = endpoint
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._answered = True
        """Whether Phoenix answered the last time it was asked."""
        self._thread = threading.Thread(target=self._work, name="bailiwick-annotations", daemon=True)
        self._thread.start()
        self.wake()

    def wake(self) -> None:
        """Something is pending."""
        self._wake.set()

    def flush(self, timeout: float, *, while_answering: bool = False) -> bool:
        """Wait until nothing is pending, for at most ``timeout`` seconds; whether nothing is."""
        until = time.monotonic() + timeout
        self._answered = True  # Until it is found not to, in a try that is made because of this.
        self.wake()
        with self._changed:
            while self._pending():
                left = until - time.monotonic()
                if left <= 0 or (while_answering and not self._answered):
                    return False
                self._changed.wait(min(left, 0.2))
        return True

    def close(self, timeout: float) -> None:
        """Send what can be sent within ``timeout`` seconds and stop. Safe to call twice."""
        if not self._closing.is_set():
            self.flush(timeout, while_answering=True)
        self._closing.set()
        self.wake()
        self._thread.join(5.0)

    def _work(self) -> None:
        phoenix = PhoenixHttp(self._endpoint)
        # Spans leave about half a second after they end, and Phoenix takes its time to store them.
        pace = Retrying(
            retry=retry_if_result(lambda left: left),
            wait=wait_exponential(multiplier=0.2, max=5.0),
            stop=stop_when_event_set(self._closing),
            sleep=self._sleep,
            retry_error_callback=_pending_still,
        )
        while not self._closing.is_set():
            self._wake.wait()
            self._wake.clear()
            pace(self._send_all, phoenix)
        phoenix.close()

    def _sleep(self, seconds: float) -> None:
        # A new path cuts the wait short, so that it is not told late because an older one hangs.
        self._wake.wait(seconds)
        self._wake.clear()

    def _send_all(self, phoenix: PhoenixHttp) -> bool:
        """Send what is pending; whether something still is."""
        left = False
        for annotation in self._pending():
            answer = phoenix.annotate(
                span_id=annotation.span_id,
                name=NAME,
                label=annotation.label,
                score=1.0,
                explanation=annotation.explanation,
                identifier=annotation.fingerprint,
            )
            self._answered = answer not in ("unreachable", "locked")
            if answer in ("done", "refused") or time.time() - annotation.since > GIVE_UP:
                self._settle(annotation)
            else:
                left = True
            if not self._answered:
                break
        with self._changed:
            self._changed.notify_all()
        return left

    def _pending(self) -> list[PendingAnnotation]:
        try:
            return self._store.pending()
        except sqlite3.Error:
            return []  # The store is closed or broken; whoever sees the next path says so.

    def _settle(self, annotation: PendingAnnotation) -> None:
        try:
            self._store.settled(annotation)
        except sqlite3.Error:
            return  # It is sent once more, which changes nothing: the same identifier replaces it.


def _pending_still(_: RetryCallState) -> bool:
    return True
