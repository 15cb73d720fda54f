"""What an error of a provider's client says: whether to try again, when, and whether the model is in trouble."""

from __future__ import annotations

from bailiwick import resilience
from bailiwick.errors import ModelRequestForbidden
from bailiwick.resilience import asked_to_wait, no_answer, status_of

__all__ = ["BrokenCall", "Stalled", "asked_to_wait", "forbidden", "in_trouble", "in_words", "may_pass"]


class BrokenCall(Exception):
    """Raised when the model's call of a tool is no JSON; another attempt often is."""


class Stalled(TimeoutError):
    """Raised when an answer that had begun to stream broke off."""


def may_pass(error: BaseException) -> bool:
    """Whether the same request may well be answered when it is made again."""
    return not forbidden(error) and (isinstance(error, BrokenCall) or resilience.may_pass(error))


def in_trouble(error: BaseException) -> bool:
    """Whether it speaks against the model rather than against what it was asked. Being asked too often does not."""
    status = status_of(error)
    return status >= 500 if status is not None else no_answer(error)


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
