"""Taking spans to Phoenix, without ever being in the way of a turn."""

from __future__ import annotations

import time
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from bailiwick.errors import TracingError
from bailiwick.tracing import spans
from bailiwick.tracing.courier import Courier
from bailiwick.tracing.links import span_link, trace_link
from bailiwick.tracing.spool import MAX_BYTES, Spool
from bailiwick.tracing.spool_exporter import CountedBatches, SpoolExporter
from bailiwick.tracing.tally import Tally

__all__ = ["Tracing", "configure"]

LIMITS = SpanLimits(max_span_attributes=512, max_attribute_length=16_384, max_events=64)


def configure(
    *,
    endpoint: str | None,
    project: str,
    spool: Path | str = ".bailiwick/spool",
    spool_bytes: int = MAX_BYTES,
    also: SpanExporter | None = None,
) -> Tracing:
    """Record spans from now on and take them to the Phoenix at ``endpoint``, into ``project``.

    Phoenix need not be there: spans wait in ``spool``, at most ``spool_bytes`` of them, and are sent when it answers.
    ``endpoint`` None: they go to ``also`` only. ``also`` gets every span as it ends, in this process and unredacted
    (tests). OpenTelemetry's global provider is left as it is. Raises TracingError when ``spool`` cannot be written.
    """
    provider = TracerProvider(
        resource=Resource.create({"openinference.project.name": project, "service.name": "bailiwick"}),
        span_limits=LIMITS,
    )
    if also is not None:
        provider.add_span_processor(SimpleSpanProcessor(also))
    tally = Tally()
    kept: Spool | None = None
    courier: Courier | None = None
    if endpoint is not None:
        try:
            kept = Spool(Path(spool), max_bytes=spool_bytes)
        except OSError as error:
            raise TracingError(
                f"{spool}: spans that wait for Phoenix cannot be kept there ({error})",
                fix="make the folder writable, or give another one",
            ) from error
        tally.lose(kept.lost_when_opened, "the spool is full; the oldest went first")
        courier = Courier(kept, endpoint, tally)
        provider.add_span_processor(CountedBatches(SpoolExporter(kept, tally, courier.wake), tally))
    spans.use_provider(provider)
    return Tracing(endpoint=endpoint, project=project, provider=provider, tally=tally, spool=kept, courier=courier)


class Tracing:
    """Spans on their way to Phoenix. Made by ``configure``; use as a context manager or call ``close``."""

    def __init__(
        self,
        *,
        endpoint: str | None,
        project: str,
        provider: TracerProvider,
        tally: Tally,
        spool: Spool | None,
        courier: Courier | None,
    ) -> None:
        self.endpoint = endpoint
        self.project = project
        self._provider = provider
        self._tally = tally
        self._spool = spool
        self._courier = courier
        self._lost_told = 0
        self._closed = False

    @property
    def provider(self) -> trace.TracerProvider:
        """For instrumentation that takes a provider; its spans then take the same way."""
        return self._provider

    @property
    def lost(self) -> int:
        """Spans that Phoenix will never see."""
        return self._tally.lost

    @property
    def waiting(self) -> int:
        """Spans in the spool that Phoenix was not yet seen to have."""
        return 0 if self._spool is None else sum(batch.spans for batch in self._spool.batches())

    def trace_link(self, trace_id: str) -> str:
        """Where the trace is to be seen; empty without Phoenix."""
        return "" if self.endpoint is None else trace_link(self.endpoint, trace_id)

    def span_link(self, span_id: str) -> str:
        """Where the span is to be seen; empty without Phoenix."""
        return "" if self.endpoint is None else span_link(self.endpoint, span_id)

    def flush(self, timeout: float, *, patient: bool = False) -> bool:
        """Wait until Phoenix has every span that has ended, for at most ``timeout`` seconds; whether it does.

        True is said only of spans that Phoenix gave back when asked. False at once when Phoenix does not answer, unless
        ``patient``; and once after spans were lost. Blocks: call it in a thread of its own from asynchronous code.
        """
        if self._spool is None or self._courier is None:
            return True
        until = time.monotonic() + timeout
        self._provider.force_flush(int(timeout * 1000))
        waited_for = set(self._spool.batches())
        round_before = self._courier.rounds_begun
        self._courier.wake()
        with self._tally.changed:
            while waited_for := waited_for.intersection(self._spool.batches()):
                unreached = self._courier.rounds_ended > round_before and not self._courier.reached
                left = until - time.monotonic()
                if left <= 0 or (unreached and not patient):
                    return False
                self._tally.changed.wait(min(left, 1.0))
            lost, self._lost_told = self._tally.lost - self._lost_told, self._tally.lost
        return lost == 0

    def close(self, timeout: float = 2.0) -> None:
        """Record no more. Phoenix gets what it can get within ``timeout`` seconds; the rest waits in the spool.

        Safe to call twice.
        """
        if self._closed:
            return
        self._closed = True
        spans.stop_using(self._provider)
        self._provider.shutdown()
        self.flush(timeout)
        if self._courier is not None:
            self._courier.close()
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> Tracing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
