"""Spans in OpenInference and GenAI words, and the store of error paths."""

from bailiwick.tracing.spans import Kind, Span, current_traceparent, span

__all__ = ["Kind", "Span", "current_traceparent", "span"]
