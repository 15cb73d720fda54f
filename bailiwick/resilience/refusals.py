"""What an error of an HTTP client says, whoever wrote the client: its status, whether to try again, and when."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

__all__ = ["asked_to_wait", "may_pass", "no_answer", "status_of"]

_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_CLASSES = {"APIConnectionError", "APITimeoutError", "TransportError"}


def status_of(error: BaseException) -> int | None:
    """The HTTP status that the error tells of; None: of none."""
    status = getattr(error, "status_code", None)
    if status is None:
        status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def may_pass(error: BaseException) -> bool:
    """Whether the same request may well be answered when it is made again."""
    status = status_of(error)
    return status in _PASSING if status is not None else no_answer(error)


def asked_to_wait(error: BaseException) -> float:
    """Seconds of the server's Retry-After (RFC 9110: seconds or a date); 0 where it asks for none."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    text = str(headers.get("retry-after") or "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):  # some give fractions; none gives what else float() would take
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def no_answer(error: BaseException) -> bool:
    """Whether there was no answer at all: the connection broke, or the time was up."""
    # Every client has its own errors for a connection that broke, and LangChain derives its own from those.
    return isinstance(error, (ConnectionError, TimeoutError)) or any(
        each.__name__ in _CLASSES for each in type(error).__mro__
    )
