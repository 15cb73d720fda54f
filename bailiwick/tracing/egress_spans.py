"""Connections that a call made through the proxy, shown under its run, as the host saw them.

Apart from the spans that a tool opens inside: those are claims, and a tool must neither be able to pass one of them for
a connection nor to crowd a denial out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status, StatusCode

from bailiwick.tracing import conventions as words
from bailiwick.tracing.bounds import CONTENT, IDENTIFIER, bounded
from bailiwick.tracing.spans import Span, tracer

__all__ = ["add_egress_spans"]


def add_egress_spans(opened: Span, connections: Sequence[words.Connection]) -> None:
    """Add ``connections`` as children of ``opened``, which is still open. A denied one is an error."""
    inner = opened.inner
    if not connections or not isinstance(inner, ReadableSpan) or not inner.is_recording():
        return
    context = trace.set_span_in_context(inner)
    since_1970 = time.time_ns() - time.monotonic_ns()
    for each in connections:
        name = bounded(f"egress {each.host}:{each.port}", IDENTIFIER)
        attributes = {key: value for key, value in words.egress(each).items() if value is not None}
        child = tracer().start_span(name, context, attributes=attributes, start_time=each.start_ns + since_1970)
        if each.decision == "allowed":
            child.set_status(Status(StatusCode.OK))
        else:
            child.set_attribute("error.type", "EgressDenied")
            child.set_status(Status(StatusCode.ERROR, bounded(each.reason, CONTENT)))
        child.end(each.end_ns + since_1970)
