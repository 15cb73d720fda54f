"""Takes spooled spans to Phoenix, in the background.

Phoenix acknowledges spans before it stores them, and one that is stopped in between has lost them. So a batch stays in
the spool until Phoenix gives its spans back when asked; sending one twice does no harm.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bailiwick.tracing.phoenix_http import PhoenixHttp
from bailiwick.tracing.spool import Spool, SpooledBatch
from bailiwick.tracing.tally import Tally

__all__ = ["Courier"]

WINDOW = 8
"""Batches that are sent and not yet seen to be stored."""

SEND_AGAIN = 15.0
"""Seconds without any of its spans being stored, after which a batch is sent again."""

TRIES = 5
SOON, SLOW, DOWN = 0.15, 2.0, 5.0
"""Seconds between rounds: after progress; at most, without; at most, while Phoenix does not answer."""

LOOK_AROUND = 30.0
"""Seconds between looks for what ended processes left."""


@dataclass
class _Sent:
    """A batch that Phoenix has acknowledged. ``missing`` are the spans that it did not give back yet."""

    project: str
    missing: frozenset[str]
    at: float
    tries: int = 1


class Courier:
    """One thread between ``spool`` and the Phoenix at ``endpoint``."""

    def __init__(self, spool: Spool, endpoint: str, tally: Tally) -> None:
        self._spool = spool
        self._endpoint = endpoint
        self._tally = tally
        self._sent: dict[SpooledBatch, _Sent] = {}
        self._wake = threading.Event()
        self._closing = threading.Event()
        self.rounds_begun = 0
        self.rounds_ended = 0
        self.reached = True
        """Whether Phoenix answered in the last round that has ended."""
        self._thread = threading.Thread(target=self._work, name="bailiwick-courier", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something is in the spool, or somebody waits for it to be empty."""
        self._wake.set()

    def close(self) -> None:
        """Stop. What was not seen to be stored stays in the spool. Safe to call twice."""
        self._closing.set()
        self.wake()
        self._thread.join(10.0)

    def _work(self) -> None:
        phoenix = PhoenixHttp(self._endpoint)
        looked = time.monotonic()
        wait, fruitless = 0.0, 0
        while not self._closing.is_set():
            self._wake.wait(wait)
            self._wake.clear()
            self.rounds_begun += 1
            try:
                progress, reached = self._round(phoenix)
                if time.monotonic() - looked > LOOK_AROUND:
                    looked = time.monotonic()
                    self._tally.lose(self._spool.adopt(), "the spool is full; the oldest went first")
            except Exception as error:  # noqa: BLE001  a thread that has ended would deliver nothing any more
                self._tally.say(f"delivering spans to Phoenix failed ({type(error).__name__}: {error})")
                progress, reached = False, False
            with self._tally.changed:
                self.reached = reached
                self.rounds_ended = self.rounds_begun
                self._tally.changed.notify_all()
            fruitless = 0 if progress else fruitless + 1
            at_most = SLOW if reached else DOWN
            wait = min(SOON * 2 ** min(fruitless, 8), at_most) if self._spool.batches() else LOOK_AROUND
        phoenix.close()

    def _round(self, phoenix: PhoenixHttp) -> tuple[bool, bool]:
        """Confirm, then send; whether anything moved on, and whether Phoenix answers."""
        confirmed, reached = self._confirm(phoenix)
        if not reached:
            return confirmed, False
        sent, reached = self._send(phoenix)
        return confirmed or sent, reached

    def _confirm(self, phoenix: PhoenixHttp) -> tuple[bool, bool]:
        """Let go of what Phoenix has stored; whether there was any, and whether Phoenix answers."""
        progress = False
        for batch, sent in list(self._sent.items()):
            stored = phoenix.stored(sent.project, sorted(sent.missing))
            if stored is None:
                # It may be a new one when it answers again, and whatever the old one had not stored is gone.
                self._sent.clear()
                return progress, False
            if stored:
                progress = True
                sent.missing -= stored
                sent.at = time.monotonic()
            if not sent.missing:
                self._let_go(batch)
                continue
            if time.monotonic() - sent.at > SEND_AGAIN:
                self._again(phoenix, batch, sent)
            break  # Spans are stored in the order in which they came.
        return progress, True

    def _send(self, phoenix: PhoenixHttp) -> tuple[bool, bool]:
        """Send what was not sent; whether something was, and whether Phoenix answers."""
        progress = False
        for batch in self._spool.batches():
            if len(self._sent) >= WINDOW:
                break
            if batch in self._sent:
                continue
            try:
                body = batch.file.read_bytes()
                told = _contents(body)
            except (OSError, DecodeError) as error:
                self._spool.remove(batch)
                self._tally.lose(batch.spans, f"a file of the spool cannot be read ({error})")
                continue
            match phoenix.send(body):
                case "done":
                    self._sent[batch] = told
                    progress = True
                case "unreachable":
                    return progress, False
                case "locked":
                    self._tally.say(f"{self._endpoint} wants a key: set PHOENIX_API_KEY; until then spans are kept")
                    return progress, False
                case "absent" | "refused":
                    self._let_go(batch)
                    self._tally.lose(batch.spans, f"{self._endpoint} does not take them; is it a Phoenix server?")
        return progress, True

    def _again(self, phoenix: PhoenixHttp, batch: SpooledBatch, sent: _Sent) -> None:
        if sent.tries >= TRIES:
            self._let_go(batch)
            self._tally.lose(len(sent.missing), "Phoenix acknowledged them again and again and never stored them")
            return
        sent.tries += 1
        sent.at = time.monotonic()
        phoenix.send(batch.file.read_bytes())

    def _let_go(self, batch: SpooledBatch) -> None:
        self._sent.pop(batch, None)
        self._spool.remove(batch)


def _contents(body: bytes) -> _Sent:
    """The project and the span ids of a batch. Raises DecodeError for what is none."""
    request = ExportTraceServiceRequest.FromString(body)
    project = "default"
    ids: set[str] = set()
    for resource in request.resource_spans:
        for attribute in resource.resource.attributes:
            if attribute.key == "openinference.project.name":
                project = attribute.value.string_value
        ids.update(span.span_id.hex() for scope in resource.scope_spans for span in scope.spans)
    return _Sent(project=project, missing=frozenset(ids), at=time.monotonic())
