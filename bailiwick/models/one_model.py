"""A request to one model: its size checked before, its attempts under its guard."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable
from tenacity import AsyncRetrying, RetryCallState, stop_after_attempt, wait_random_exponential

from bailiwick.errors import DeadlineExceeded, ModelUnavailable, PromptTooLarge
from bailiwick.models.attempt import Attempt
from bailiwick.models.guard import Guard, Held, model_name
from bailiwick.models.prompt_size import check_size, tokens_of, window_size
from bailiwick.models.refusals import asked_to_wait, forbidden, in_words, may_pass
from bailiwick.models.tried import Tried
from bailiwick.resilience import seconds_left

__all__ = ["OneModel"]

_backoff = wait_random_exponential(multiplier=0.2, max=5)
"""Full jitter, after M. Brooker, "Exponential Backoff And Jitter"."""


@dataclass(frozen=True, kw_only=True)
class OneModel:
    """A request to ``model``; what was tried is added to ``tried`` as it happens.

    ``broken_off`` is told when an answer of which pieces were heard is asked for once more.
    """

    model: BaseChatModel
    guard: Guard
    tried: list[Tried]
    broken_off: Callable[[Tried], None]

    async def answer(self, messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
        """Raises PromptTooLarge before anything is sent, DeadlineExceeded, ModelUnavailable, ModelRequestForbidden."""
        name, began, attempts = model_name(self.model), time.monotonic(), 0
        try:
            check_size(name, window_size(self.model), messages, tools)
            tokens = tokens_of(messages, tools) if self.guard.counts_tokens else 0
            bound: Runnable[Any, AIMessage] = self.model.bind_tools(list(tools)) if tools else self.model
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(self.guard.limits.attempts), wait=_wait, retry=self._again, reraise=True
            ):
                with attempt:
                    began, attempts = time.monotonic(), attempt.retry_state.attempt_number
                    if attempts == 1:
                        self.guard.budget.add()
                    return await self._attempt(name, attempts, bound, messages, tokens)
        except (Held, PromptTooLarge) as error:
            self.tried.append(_failed(name, 0, began, error.message))
            raise
        except (DeadlineExceeded, AssertionError):
            raise
        except TimeoutError as error:
            raise ModelUnavailable(
                f"the model {name} did not answer in the time given (attempts: {attempts})",
                fix="give the turn a longer deadline, or look at the model's server",
            ) from error
        except Exception as error:
            if refused := forbidden(error):
                raise refused from None
            raise ModelUnavailable(
                f"the model {name} refused or failed (attempts: {attempts}): {in_words(error)}",
                fix="look at the model's key, name and server; the conversation is kept and can be continued",
            ) from error
        raise AssertionError("unreachable: the loop returns or raises")

    async def _attempt(
        self, name: str, number: int, bound: Runnable[Any, AIMessage], messages: Sequence[BaseMessage], tokens: int
    ) -> AIMessage:
        limits, began = self.guard.limits, time.monotonic()
        async with self.guard.request(name, tokens=tokens) as request:
            if (left := seconds_left(limits.seconds)) <= 0:
                raise DeadlineExceeded("no time is left for the model", fix="give the turn a longer deadline")
            attempt = Attempt(seconds=left, stall_seconds=limits.stall_seconds)
            try:
                message = await attempt.run(bound, messages)
            except Exception as error:
                self.tried.append(_failed(name, number, began, in_words(error)))
                if attempt.pieces:
                    self.broken_off(self.tried[-1])
                raise
            request.answered(message)
        self.tried.append(_failed(name, number, began, ""))
        return message

    def _again(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if error is None or not may_pass(error) or state.attempt_number >= self.guard.limits.attempts:
            return False
        left = seconds_left(self.guard.limits.seconds)
        return left > 0 and asked_to_wait(error) < left and self.guard.budget.take()


def _wait(state: RetryCallState) -> float:
    """Full jitter, or what the server's Retry-After asks for, and never past the deadline."""
    error = state.outcome.exception() if state.outcome else None
    asked = asked_to_wait(error) if error is not None else 0.0
    return seconds_left(max(asked, _backoff(state)))


def _failed(name: str, attempt: int, began: float, failure: str) -> Tried:
    return Tried(model=name, attempt=attempt, seconds=time.monotonic() - began, failure=failure)
