"""One request to a chat model: size checked before, deadline and retries around it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.runnables import Runnable
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from bailiwick.errors import DeadlineExceeded, ModelRequestForbidden, ModelUnavailable, PromptTooLarge
from bailiwick.resilience import seconds_left

__all__ = ["ModelAnswer", "model_name", "request_answer"]

ATTEMPTS = 3
SECONDS = 60.0
DEFAULT_WINDOW = 128_000
"""Tokens assumed for a model that does not state its window."""

_RETRY_STATUS = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_RETRY_CLASSES = {"APIConnectionError", "APITimeoutError", "TransportError"}


@dataclass(frozen=True, kw_only=True)
class ModelAnswer:
    """The model's message and how many attempts it took."""

    message: AIMessage
    attempts: int


def model_name(model: BaseChatModel) -> str:
    """The name the provider knows the model by."""
    named = getattr(model, "model_name", None) or getattr(model, "model", None)
    return str(named or type(model).__name__)


async def request_answer(
    model: BaseChatModel, messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]
) -> ModelAnswer:
    """Ask ``model``; ``tools`` are OpenAI-shaped tool schemas.

    Raises PromptTooLarge before sending, DeadlineExceeded when the turn's time is used up, ModelUnavailable when the
    model did not answer after the attempts worth making. Only refusals that may pass are tried again.
    """
    _check_size(model, messages, tools)
    bound: Runnable[Any, Any] = model.bind_tools(list(tools)) if tools else model
    attempts = 0
    try:
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=retry_if_exception(_worth_retrying),
            reraise=True,
        ):
            with attempt:
                attempts = attempt.retry_state.attempt_number
                left = seconds_left(SECONDS)
                if left <= 0:
                    raise DeadlineExceeded("no time is left for the model", fix="give the turn a longer deadline")
                message = await asyncio.wait_for(bound.ainvoke(list(messages)), timeout=left)
                return ModelAnswer(message=_sound(message), attempts=attempts)
    except (DeadlineExceeded, AssertionError):
        raise
    except TimeoutError as error:
        raise ModelUnavailable(
            f"the model {model_name(model)} did not answer in the time given (attempts: {attempts})",
            fix="give the turn a longer deadline, or look at the model's server",
        ) from error
    except Exception as error:
        if forbidden := _forbidden(error):
            raise forbidden from None
        text = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]}"
        raise ModelUnavailable(
            f"the model {model_name(model)} refused or failed (attempts: {attempts}): {text}",
            fix="look at the model's key, name and server; the conversation is kept and can be continued",
        ) from error
    raise AssertionError("unreachable: the loop returns or raises")


class _BrokenCall(Exception):
    """Raised when the model's call of a tool is no JSON; another attempt often is."""


def _sound(message: AIMessage) -> AIMessage:
    # Kept in the history, a call that nothing can answer makes the provider refuse every later request.
    if message.invalid_tool_calls:
        names = ", ".join(str(call.get("name")) for call in message.invalid_tool_calls)
        raise _BrokenCall(f"its arguments for {names} are no JSON")
    return message


def _check_size(model: BaseChatModel, messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> None:
    profile: Any = getattr(model, "profile", None) or {}
    window = int(profile.get("max_input_tokens") or DEFAULT_WINDOW)
    size = count_tokens_approximately(messages, tools=list(tools) or None)
    if size > window:
        raise PromptTooLarge(
            f"the prompt has about {size} tokens and {model_name(model)} takes {window}",
            fix="start a new thread, or send less text",
        )


def _worth_retrying(error: BaseException) -> bool:
    wait = _asked_to_wait(error)
    if wait >= min(SECONDS, seconds_left(SECONDS)) or _forbidden(error):
        return False
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status in _RETRY_STATUS
    # Every client has its own errors for a connection that broke, and LangChain derives its own from those.
    return isinstance(error, (ConnectionError, TimeoutError, _BrokenCall)) or any(
        each.__name__ in _RETRY_CLASSES for each in type(error).__mro__
    )


def _forbidden(error: BaseException) -> ModelRequestForbidden | None:
    """The refusal of a test's switch, which a provider's client wraps in an error of its own."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, ModelRequestForbidden):
        found = found.__cause__ or found.__context__
    return found


_backoff = wait_random_exponential(multiplier=0.2, max=5)


def _wait(state: RetryCallState) -> float:
    """Full jitter, or what the server's Retry-After asks for, and never past the deadline."""
    error = state.outcome.exception() if state.outcome else None
    asked = _asked_to_wait(error) if error is not None else 0.0
    return seconds_left(max(asked, _backoff(state)))


def _asked_to_wait(error: BaseException) -> float:
    """Seconds of the server's Retry-After (RFC 9110: seconds or a date); 0 where it asks for none."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    text = str(headers.get("retry-after") or "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
