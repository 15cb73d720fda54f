"""What all requests of this process to one model share: its rate, its breaker and its budget of retries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from threading import Lock

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage

from bailiwick.errors import ModelUnavailable
from bailiwick.models.breaker import Breaker
from bailiwick.models.limits import ModelLimits
from bailiwick.models.refusals import asked_to_wait, forbidden, in_trouble, in_words
from bailiwick.models.retry_budget import RetryBudget
from bailiwick.models.token_bucket import TokenBucket
from bailiwick.resilience import seconds_left

__all__ = ["Guard", "Held", "ModelGuards", "model_name"]

_FAIR_SECONDS = 10.0
"""A model that was given less says nothing about itself when it does not answer."""


class Held(ModelUnavailable):
    """Raised when a model is not asked at all: it is left alone for a while, or its limits leave no room in time."""


class Guard:
    """Of one model, for as long as the process lives."""

    def __init__(self, limits: ModelLimits) -> None:
        self.limits = limits
        self.budget = RetryBudget(limits.retry_share)
        self._breaker = Breaker(failures=limits.failures_to_open, seconds=limits.open_seconds)
        self._requests = None if limits.requests_per_minute is None else TokenBucket(limits.requests_per_minute)
        self._tokens = None if limits.tokens_per_minute is None else TokenBucket(limits.tokens_per_minute)
        self._at_once = None if limits.at_once is None else asyncio.Semaphore(limits.at_once)

    @property
    def counts_tokens(self) -> bool:
        return self._tokens is not None

    @asynccontextmanager
    async def request(self, name: str, *, tokens: int) -> AsyncGenerator[Request]:
        """Wait until the model may be asked, and learn from what comes of it. Raises Held."""
        given = seconds_left(self.limits.seconds)
        if resting := self._breaker.admit():
            raise Held(
                f"{name} is left alone for {resting.seconds:.0f} s more, after: {resting.why}",
                fix="look at the model's server; it is asked again by itself",
            )
        request = Request()
        try:
            async with self._place(name):
                await self._in_rate(name, tokens)
                yield request
        except Exception as error:
            self._learn(error, given)
            raise
        except BaseException:
            self._breaker.unknown()
            raise
        self._breaker.succeeded()
        if self._tokens is not None and request.used:
            self._tokens.charge(request.used - tokens)

    @asynccontextmanager
    async def _place(self, name: str) -> AsyncGenerator[None]:
        if self._at_once is None:
            yield
            return
        try:
            async with asyncio.timeout(seconds_left(self.limits.seconds)):
                await self._at_once.acquire()
        except TimeoutError:
            raise Held(
                f"{self.limits.at_once} requests to {name} are under way and none ended in time",
                fix="raise at_once of the model's limits, or give the turn a longer deadline",
            ) from None
        try:
            yield
        finally:
            self._at_once.release()

    async def _in_rate(self, name: str, tokens: int) -> None:
        for bucket, amount, what in (
            (self._requests, 1, "requests_per_minute"),
            (self._tokens, tokens, "tokens_per_minute"),
        ):
            if bucket is None:
                continue
            wait, taken = bucket.take(amount, at_most=seconds_left(self.limits.seconds))
            if not taken:
                raise Held(
                    f"{what} of {name} ({getattr(self.limits, what):g}) leaves no room for {wait:.0f} s",
                    fix=f"raise {what} of the model's limits, or name a fallback",
                )
            if wait:
                await asyncio.sleep(wait)

    def _learn(self, error: Exception, given: float) -> None:
        asked, why = asked_to_wait(error), in_words(error)
        if isinstance(error, Held) or forbidden(error):
            self._breaker.unknown()
        elif asked > given:
            self._breaker.rest(asked, why)
        elif not in_trouble(error):
            self._breaker.succeeded()
        elif isinstance(error, TimeoutError) and given < min(_FAIR_SECONDS, self.limits.seconds):
            self._breaker.unknown()
        else:
            self._breaker.failed(why)


class Request:
    """One that is under way. ``used``: tokens that it came to; 0: the model does not say."""

    def __init__(self) -> None:
        self.used = 0

    def answered(self, message: AIMessage) -> None:
        if message.usage_metadata is not None:
            self.used = message.usage_metadata["total_tokens"]


class ModelGuards:
    """The guards of a process, by model. Agents that use the same model share one."""

    def __init__(self) -> None:
        self._guards: dict[str, Guard] = {}
        self._lock = Lock()

    def of(self, model: BaseChatModel, limits: ModelLimits) -> Guard:
        """The guard of ``model``, made anew where ``limits`` are tighter than those it was made with."""
        server = getattr(model, "openai_api_base", None) or getattr(model, "base_url", None) or ""
        key = f"{type(model).__name__} {model_name(model)} {server}"
        with self._lock:
            guard = self._guards.get(key)
            tightest = limits if guard is None else guard.limits.tightest(limits)
            if guard is None or tightest != guard.limits:
                guard = self._guards[key] = Guard(tightest)
            return guard


def model_name(model: BaseChatModel) -> str:
    """The name the provider knows the model by."""
    named = getattr(model, "model_name", None) or getattr(model, "model", None)
    return str(named or type(model).__name__)
