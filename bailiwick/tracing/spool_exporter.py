"""From OpenTelemetry's queue to the spool: encoded, redacted, written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from bailiwick.tracing.redaction import redact_request
from bailiwick.tracing.spool import Spool
from bailiwick.tracing.tally import ROOM, Tally

__all__ = ["CountedBatches", "SpoolExporter"]

BATCH = 256
EVERY_MS = 500


class SpoolExporter(SpanExporter):
    """Writes batches into ``spool`` and calls ``written`` after each."""

    def __init__(self, spool: Spool, tally: Tally, written: Callable[[], None]) -> None:
        self._spool = spool
        self._tally = tally
        self._written = written

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            request = encode_spans(spans)
            redact_request(request)
            lost = self._spool.write(request.SerializeToString(), len(spans))
            self._tally.lose(lost, "the spool is full; the oldest went first")
        except Exception as error:  # noqa: BLE001  whatever it is, it must not end the queue's only thread
            self._tally.lose(len(spans), f"they cannot be written down ({type(error).__name__}: {error})")
        finally:
            self._tally.written(len(spans))
        self._written()
        return SpanExportResult.SUCCESS


class CountedBatches(SpanProcessor):
    """OpenTelemetry's batches with our own count before them, so that a span lost to a full queue is known."""

    def __init__(self, exporter: SpanExporter, tally: Tally) -> None:
        self._tally = tally
        self._batches = BatchSpanProcessor(
            exporter, max_queue_size=2 * ROOM, schedule_delay_millis=EVERY_MS, max_export_batch_size=BATCH
        )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        return

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled and self._tally.ended():
            self._batches.on_end(span)

    def shutdown(self) -> None:
        self._batches.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._batches.force_flush(timeout_millis)
