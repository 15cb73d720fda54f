"""The obvious is taken out of everything that leaves the process: e-mail addresses, card numbers, keys.

It works on the encoded spans, the last thing before the spool and Phoenix, because OpenTelemetry's spans cannot be
changed once they have ended and because nothing can be forgotten there: attributes, events with their stack traces,
status messages, links and names are all text in one message. What it cannot know is a customer's name in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["redact_request", "redacted_text"]

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_DIGITS = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_KEY = re.compile(r"(?i:\bbearer\s+)[\w.~+/=-]{16,}|\b(?:sk|pk|ghp|xoxb)[-_][\w-]{16,}")

CARD = range(13, 20)
"""How many digits a card number has."""


def redacted_text(text: str) -> str:
    """``text`` with e-mail addresses, card numbers and keys replaced by a word that says what was there."""
    if "@" in text:
        text = _EMAIL.sub("[e-mail]", text)
    text = _DIGITS.sub(_card, text)
    return _KEY.sub("[secret]", text)


def redact_request(request: ExportTraceServiceRequest) -> None:
    """Redact every span in ``request``, in place."""
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                _redact_span(span)


def _redact_span(span: Span) -> None:
    span.name = redacted_text(span.name)
    if span.status.message:
        span.status.message = redacted_text(span.status.message)
    _redact(span.attributes)
    for event in span.events:
        event.name = redacted_text(event.name)
        _redact(event.attributes)
    for link in span.links:
        _redact(link.attributes)


def _redact(attributes: Iterable[KeyValue]) -> None:
    for attribute in attributes:
        _redact_value(attribute.value)


def _redact_value(value: AnyValue) -> None:
    match value.WhichOneof("value"):
        case "string_value":
            before = value.string_value
            if (after := redacted_text(before)) != before:
                value.string_value = after
        case "int_value" if len(str(abs(value.int_value))) in CARD and _luhn(str(abs(value.int_value))):
            value.string_value = "[card number]"
        case "array_value":
            for item in value.array_value.values:
                _redact_value(item)
        case "kvlist_value":
            _redact(value.kvlist_value.values)
        case _:
            pass


def _card(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found[0])
    return "[card number]" if len(digits) in CARD and _luhn(digits) else found[0]


def _luhn(digits: str) -> bool:
    """The check digit that card numbers have and nine of ten other numbers do not (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
