"""Spans in OpenInference and GenAI words, error paths, and Phoenix, which shows both."""

from bailiwick.tracing.configure import Tracing, configure
from bailiwick.tracing.diagnosis import diagnose_phoenix
from bailiwick.tracing.egress_spans import add_egress_spans
from bailiwick.tracing.error_path import ErrorPath
from bailiwick.tracing.error_store import ErrorStore, KnownPath
from bailiwick.tracing.error_watch import ErrorWatch, Sighting
from bailiwick.tracing.inside_spans import add_inside_spans
from bailiwick.tracing.links import project_link, span_link, trace_link
from bailiwick.tracing.phoenix_server import PhoenixServer, phoenix_endpoint
from bailiwick.tracing.redaction import redacted_text
from bailiwick.tracing.spans import Kind, Span, current_traceparent, span

__all__ = [
    "ErrorPath",
    "ErrorStore",
    "ErrorWatch",
    "Kind",
    "KnownPath",
    "PhoenixServer",
    "Sighting",
    "Span",
    "Tracing",
    "add_egress_spans",
    "add_inside_spans",
    "configure",
    "current_traceparent",
    "diagnose_phoenix",
    "phoenix_endpoint",
    "project_link",
    "redacted_text",
    "span",
    "span_link",
    "trace_link",
]
