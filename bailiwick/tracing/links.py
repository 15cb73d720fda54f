"""Addresses that open a trace or a span in Phoenix's pages. They need no id of Phoenix's own, and no question first."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ["project_link", "span_link", "trace_link"]


def trace_link(endpoint: str, trace_id: str) -> str:
    """The page of a trace. Phoenix finds its project by itself; it says "not found" until it has stored the trace."""
    return f"{endpoint.rstrip('/')}/redirects/traces/{quote(trace_id)}"


def span_link(endpoint: str, span_id: str) -> str:
    """The page of the span's trace with the span chosen."""
    return f"{endpoint.rstrip('/')}/redirects/spans/{quote(span_id)}"


def project_link(endpoint: str, project: str) -> str:
    """The page of a project."""
    return f"{endpoint.rstrip('/')}/redirects/projects/{quote(project, safe='')}"
