"""What an error of a provider's client says: whether to try again, when, and whether the model is in trouble."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from bailiwick.errors import ModelRequestForbidden

__all__ = ["BrokenCall", "Stalled", "asked_to_wait", "forbidden", "in_trouble", "in_words", "may_pass"]

_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_CLASSES = {"APIConnectionError", "APITimeoutError", "TransportError"}


class BrokenCall(Exception):
    """Raised when the model's call of a tool is no JSON; another attempt often is."""


class Stalled(TimeoutError):
    """Raised when an answer that had begun to stream broke off."""


def may_pass(error: BaseException) -> bool:
    """Whether the same request may well be answered when it is made again."""
    if forbidden(error):
        return False
    status = _status(error)
    if status is not None:
        return status in _PASSING
    return isinstance(error, BrokenCall) or _no_answer(error)


def in_trouble(error: BaseException) -> bool:
    """Whether it speaks against the model rather than against what it was asked. Being asked too often does not."""
    status = _status(error)
    return status >= 500 if status is not None else _no_answer(error)


def asked_to_wait(error: BaseException) -> float:
    """Seconds of the server's Retry-After (RFC 9110: seconds or a date); 0 where it asks for none."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    text = str(headers.get("retry-after") or "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def forbidden(error: BaseException) -> ModelRequestForbidden | None:
    """The refusal of a test's switch, which a provider's client wraps in an error of its own."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, ModelRequestForbidden):
        found = found.__cause__ or found.__context__
    return found


def in_words(error: BaseException) -> str:
    """One line of at most 300 characters."""
    said = (str(error).splitlines() or [""])[0][:300]
    return said if isinstance(error, Stalled) else f"{type(error).__name__}: {said}"


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _no_answer(error: BaseException) -> bool:
    # Every client has its own errors for a connection that broke, and LangChain derives its own from those.
    return isinstance(error, (ConnectionError, TimeoutError)) or any(
        each.__name__ in _CLASSES for each in type(error).__mro__
    )
