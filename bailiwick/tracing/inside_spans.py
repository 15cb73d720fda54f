"""Spans that a tool opened inside its container, shown under the run that they belong to.

What comes out of a container is a claim. So the host gives the ids, the times are held within the run's own, names and
values are bounded, and every attribute is prefixed: a tool can say what it did and cannot pass for anything else.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status, StatusCode

from bailiwick.tracing.bounds import IDENTIFIER, bounded
from bailiwick.tracing.spans import Span, tracer

__all__ = ["add_inside_spans"]

SPANS = 64
BYTES = 64 * 2**10
ATTRIBUTES = 16
VALUE = 1_000

PREFIX = "inside."


def add_inside_spans(opened: Span, spans: Sequence[Mapping[str, Any]]) -> None:
    """Add ``spans`` as children of ``opened``, which is still open; ``Result.spans`` says what one looks like.

    What is no span is left out, and what is over the caps too; ``bailiwick.inside_spans_left_out`` says how many.
    """
    inner = opened.inner
    if not spans or not isinstance(inner, ReadableSpan) or not inner.is_recording():
        return
    start, now = inner.start_time or time.time_ns(), time.time_ns()
    # Times count from the call's start; the container was asked for, and got ready, before that.
    waited = (inner.attributes or {}).get("bailiwick.sandbox.start_ms", 0)
    base = start + int(waited * 1e6) if isinstance(waited, (int, float)) else start
    context = trace.set_span_in_context(inner)
    left_out, size = 0, 0
    for number, given in enumerate(spans):
        told = _told(given)
        size += 0 if told is None else sum(len(key) + len(str(value)) for key, value in told[1].items())
        if told is None or number >= SPANS or size > BYTES:
            left_out += 1
            continue
        name, attributes, begins, ends = told
        begins = min(max(base + begins, start), now)
        ends = min(max(base + ends, begins), now)
        child = tracer().start_span(name, context, attributes=attributes, start_time=begins)
        if error := given.get("error"):
            child.set_attribute("error.type", bounded(str(error), IDENTIFIER))
            child.set_status(Status(StatusCode.ERROR, bounded(str(error), VALUE)))
        else:
            child.set_status(Status(StatusCode.OK))
        child.end(ends)
    if left_out:
        inner.set_attribute("bailiwick.inside_spans_left_out", left_out)


def _told(given: Any) -> tuple[str, dict[str, Any], int, int] | None:
    """Name, attributes and times of one span, or None for what is none."""
    if not isinstance(given, Mapping):
        return None
    span: Mapping[str, Any] = given  # pyright: ignore[reportUnknownVariableType]
    name, begins, ends = span.get("name"), span.get("start_ns"), span.get("end_ns")
    if not isinstance(name, str) or not isinstance(begins, int) or not isinstance(ends, int):
        return None
    own: Any = span.get("attributes")
    attributes: dict[str, Any] = {"openinference.span.kind": "CHAIN", "bailiwick.inside": True}
    if isinstance(own, Mapping):
        for key, value in list(own.items())[:ATTRIBUTES]:  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            plain = value if isinstance(value, (bool, int, float)) else bounded(str(value), VALUE)  # pyright: ignore[reportUnknownArgumentType]
            attributes[PREFIX + bounded(str(key), IDENTIFIER)] = plain  # pyright: ignore[reportUnknownArgumentType]
    return bounded(name, IDENTIFIER), attributes, begins, ends
