"""One span as Phoenix gives it back, read without trust in its form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

__all__ = ["CUT", "SpanRecord", "read_span"]

CUT = re.compile(r"… \[\d+ characters left out\]")
"""What ``bailiwick.tracing`` writes where it kept the beginning of a text only."""


@dataclass(frozen=True, kw_only=True)
class SpanRecord:
    """A span with its attributes under dotted names. Empty ``parent``: it is the root of its trace."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    start: datetime
    end: datetime
    attributes: Mapping[str, Any]

    def text(self, name: str) -> str:
        """The attribute as text; empty where there is none."""
        value = self.attributes.get(name)
        return value if isinstance(value, str) else "" if value is None else str(value)

    def numbered(self, prefix: str) -> Iterator[Mapping[str, Any]]:
        """The items of a list that is spread over attributes: ``PREFIX.0.…``, ``PREFIX.1.…`` in order."""
        items: dict[int, dict[str, Any]] = {}
        for name, value in self.attributes.items():
            if name.startswith(prefix + "."):
                number, _, rest = name[len(prefix) + 1 :].partition(".")
                if number.isdigit() and rest:
                    items.setdefault(int(number), {})[rest] = value
        for number in sorted(items):
            yield items[number]


def read_span(data: Mapping[str, Any]) -> SpanRecord:
    """A span of Phoenix's REST API or client. Raises ValueError with what is missing."""
    context = data.get("context")
    if not isinstance(context, Mapping):
        raise ValueError("it has no context with trace_id and span_id")
    ids = cast("Mapping[str, Any]", context)
    trace, own = str(ids.get("trace_id") or ""), str(ids.get("span_id") or "")
    if not trace or not own:
        raise ValueError("its context has no trace_id and span_id")
    attributes = data.get("attributes")
    start = _moment(data.get("start_time"), "start_time")
    return SpanRecord(
        name=str(data.get("name") or ""),
        kind=str(data.get("span_kind") or ""),
        trace=trace,
        id=own,
        parent=str(data.get("parent_id") or ""),
        start=start,
        end=_moment(data.get("end_time"), "end_time") if data.get("end_time") else start,
        attributes=dict(_flat("", cast("object", attributes))) if isinstance(attributes, Mapping) else {},
    )


def _moment(text: object, name: str) -> datetime:
    try:
        found = text if isinstance(text, datetime) else datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(f"its {name} is no time: {text!r}") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _flat(prefix: str, value: object) -> Iterator[tuple[str, Any]]:
    """Attributes by dotted names: the REST API gives them so, Phoenix's pages nest them."""
    if isinstance(value, Mapping):
        for name, item in cast("Mapping[Any, Any]", value).items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), item)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in cast("list[Any]", value)):
        for number, item in enumerate(cast("list[Any]", value)):
            yield from _flat(f"{prefix}.{number}", item)
    else:
        yield prefix, value
