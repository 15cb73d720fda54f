"""Who sees an error path says so here: it is counted, marked on its span, and Phoenix is told when it is new."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bailiwick.tracing.annotator import Annotator
from bailiwick.tracing.bounds import CONTENT, bounded
from bailiwick.tracing.error_path import ErrorPath
from bailiwick.tracing.error_store import ErrorStore
from bailiwick.tracing.redaction import redacted_text
from bailiwick.tracing.spans import Span

__all__ = ["ErrorWatch", "Sighting"]

_log = logging.getLogger("bailiwick.tracing")


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """An error path as it was seen just now. ``unstored``: the store could not be written, so nobody knows."""

    fingerprint: str
    text: str
    state: Literal["new", "known", "resolved", "regressed", "unstored"]

    @property
    def alarming(self) -> bool:
        """Whether it was never seen before, or had been resolved."""
        return self.state in ("new", "regressed")


class ErrorWatch:
    """The store of error paths of a project, and the way of a new one to Phoenix. Use as a context manager."""

    def __init__(self, store: ErrorStore, annotator: Annotator | None = None) -> None:
        self.store = store
        self._annotator = annotator
        self._told_unstored = False

    @classmethod
    def open(cls, file: Path, *, endpoint: str | None = None) -> ErrorWatch:
        """Open the store in ``file``, made if it is missing. ``endpoint`` None: Phoenix is told nothing.

        What an earlier process could not tell Phoenix is told now, in the background.
        """
        store = ErrorStore(file)
        return cls(store, None if endpoint is None else Annotator(store, endpoint))

    def saw(self, path: ErrorPath, span: Span, message: str = "") -> Sighting:
        """Count ``path`` and mark ``span`` with it. Never raises, and never waits for Phoenix.

        ``message`` is kept as the example of the last sighting only; it has no part in what makes a path new.
        """
        annotate = self._annotator is not None and span.inner.get_span_context().trace_flags.sampled
        state: Any
        try:
            state = self.store.saw(
                path,
                message=redacted_text(bounded(message, CONTENT)),
                trace_id=span.trace_id,
                span_id=span.span_id,
                annotate=annotate,
            )
        except sqlite3.Error as error:
            state = "unstored"
            if not self._told_unstored:
                self._told_unstored = True
                _log.warning("the store of error paths cannot be written (%s): new ones are not recognised", error)
        sighting = Sighting(fingerprint=path.fingerprint, text=path.text, state=state)
        span.set(_attributes(path, sighting))
        if self._annotator is not None and sighting.alarming:
            self._annotator.wake()
        return sighting

    def flush(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds until Phoenix has every annotation; whether it does."""
        return self._annotator is None or self._annotator.flush(timeout)

    def close(self, timeout: float = 2.0) -> None:
        """Tell Phoenix what is pending, for at most ``timeout`` seconds while it answers; the rest waits in the store.

        Safe to call twice.
        """
        if self._annotator is not None:
            self._annotator.close(timeout)
        self.store.close()

    def __enter__(self) -> ErrorWatch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _attributes(path: ErrorPath, sighting: Sighting) -> dict[str, Any]:
    parts = {name: getattr(path, name) for name in ErrorPath.__dataclass_fields__}
    return {
        "error.fingerprint": sighting.fingerprint,
        "error.path.state": sighting.state,
        "bailiwick.error_path.text": sighting.text,
        **{f"bailiwick.error_path.{name}": value or None for name, value in parts.items()},
        # Phoenix shows metadata in a column of its own and filters by it: metadata['error_path']['state'] == 'new'
        "metadata": {
            "error_path": {
                "fingerprint": sighting.fingerprint,
                "state": sighting.state,
                "text": sighting.text,
                **parts,
            }
        },
    }
