"""Opening spans in OpenInference's and OpenTelemetry's words.

Until ``tracing.configure`` is called the tracer is OpenTelemetry's global one, which does nothing unless the
application set it up; so a room may open spans without asking whether anybody looks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode
from opentelemetry.util.types import AttributeValue

__all__ = ["Kind", "Span", "current_traceparent", "span"]

Kind = Literal["AGENT", "CHAIN", "RETRIEVER", "LLM", "TOOL", "GUARDRAIL", "EMBEDDING"]
"""OpenInference span kinds."""

_chosen: tuple[trace.TracerProvider, trace.Tracer] | None = None


def use_provider(provider: trace.TracerProvider) -> None:
    """Take spans to ``provider`` from now on."""
    global _chosen
    _chosen = provider, provider.get_tracer("bailiwick")


def stop_using(provider: trace.TracerProvider) -> None:
    """Go back to OpenTelemetry's global provider, unless another than ``provider`` was chosen since."""
    global _chosen
    if _chosen is not None and _chosen[0] is provider:
        _chosen = None


def tracer() -> trace.Tracer:
    """What opens spans. Ours is kept, since getting one costs as much as opening a span."""
    return _chosen[1] if _chosen else trace.get_tracer_provider().get_tracer("bailiwick")


class Span:
    """An open span. Setting an attribute to None leaves it out; mappings and lists of mappings become JSON text."""

    def __init__(self, inner: trace.Span) -> None:
        self.inner = inner
        self._decided = False

    @property
    def trace_id(self) -> str:
        """32 hex digits; all zeros when nobody records."""
        return trace.format_trace_id(self.inner.get_span_context().trace_id)

    @property
    def span_id(self) -> str:
        """16 hex digits; all zeros when nobody records."""
        return trace.format_span_id(self.inner.get_span_context().span_id)

    def set(self, attributes: Mapping[str, Any]) -> None:
        self.inner.set_attributes({key: _attribute(value) for key, value in attributes.items() if value is not None})

    def fail(self, error_type: str, message: str = "") -> None:
        """End this span as an error of ``error_type``, without an exception being raised."""
        self._decided = True
        self.inner.set_attribute("error.type", error_type)
        self.inner.set_status(Status(StatusCode.ERROR, message or error_type))

    def ok(self) -> None:
        """End this span as OK whatever comes."""
        self._decided = True
        self.inner.set_status(Status(StatusCode.OK))

    @property
    def decided(self) -> bool:
        """Whether ``ok`` or ``fail`` was called."""
        return self._decided


@contextmanager
def span(
    name: str,
    kind: Kind = "CHAIN",
    attributes: Mapping[str, Any] | None = None,
    *,
    control_flow: tuple[type[BaseException], ...] = (),
) -> Generator[Span]:
    """Open a span under the current one; every span leaves with a status.

    An exception ends it as an error and goes on, unless its class is in ``control_flow`` (LangGraph's interrupts are
    exceptions but no errors).
    """
    given = {key: _attribute(value) for key, value in (attributes or {}).items() if value is not None}
    given["openinference.span.kind"] = kind
    opening = tracer().start_as_current_span(
        name, attributes=given, record_exception=False, set_status_on_exception=False
    )
    with opening as inner:
        opened = Span(inner)
        try:
            yield opened
        except control_flow:
            if not opened.decided:
                opened.ok()
            raise
        except asyncio.CancelledError:
            opened.fail("cancelled")
            raise
        except BaseException as error:
            if not opened.decided:
                inner.record_exception(error)
                opened.fail(type(error).__name__, str(error))
            raise
        if not opened.decided:
            opened.ok()


def current_traceparent() -> str:
    """The W3C ``traceparent`` of the current span, or an empty string when nobody records."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    trace_id, span_id = trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)
    return f"00-{trace_id}-{span_id}-{context.trace_flags:02x}"


def _attribute(value: Any) -> AttributeValue:
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):  # pyright: ignore[reportUnknownVariableType]
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return json.dumps(value, ensure_ascii=False, default=str)
