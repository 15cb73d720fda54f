"""One request to a chat model, and to those that stand in for it, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from bailiwick.errors import DeadlineExceeded, ModelUnavailable, PromptTooLarge
from bailiwick.models.guard import ModelGuards
from bailiwick.models.limits import ModelLimits
from bailiwick.models.one_model import OneModel
from bailiwick.models.tried import Tried
from bailiwick.resilience import deadline, seconds_left

__all__ = ["ModelAnswer", "Models", "request_answer"]

_LONGEST = 3600.0
"""Seconds for all models together where nobody set a deadline."""


@dataclass(frozen=True, kw_only=True)
class ModelAnswer:
    """The model's message, which model gave it, and what was tried until then, this attempt last."""

    message: AIMessage
    model: BaseChatModel
    tried: Sequence[Tried]

    @property
    def attempts(self) -> int:
        """Requests that were sent, to whichever model."""
        return sum(1 for each in self.tried if each.attempt)


@dataclass(frozen=True, kw_only=True)
class Models:
    """``model``, and in order those that are asked when it gives no answer. Empty ``fallbacks``: nobody else is."""

    model: BaseChatModel
    fallbacks: tuple[BaseChatModel, ...] = ()
    limits: ModelLimits = field(default_factory=ModelLimits)
    """Of each of them."""
    guards: ModelGuards = field(default_factory=ModelGuards)


def _nobody(tried: Tried) -> None:
    return None


async def request_answer(
    models: Models | BaseChatModel,
    messages: Sequence[BaseMessage],
    tools: Sequence[dict[str, Any]],
    *,
    tried: list[Tried] | None = None,
    broken_off: Callable[[Tried], None] = _nobody,
) -> ModelAnswer:
    """Ask the first of ``models`` that answers; ``tools`` are OpenAI-shaped tool schemas.

    Each gets an even share of the time left for those that follow it. ``tried`` is filled as it happens, also when
    this raises. ``broken_off`` is told when pieces of an answer were heard that never came to its end.
    Raises PromptTooLarge before sending, DeadlineExceeded when the turn's time is used up, ModelUnavailable when none
    answered after the attempts worth making. Only refusals that may pass are tried again.
    """
    if isinstance(models, BaseChatModel):
        models = Models(model=models)
    done: list[Tried] = [] if tried is None else tried
    failures: list[ModelUnavailable | PromptTooLarge | DeadlineExceeded] = []
    chain = (models.model, *models.fallbacks)
    for follow, model in zip(reversed(range(len(chain))), chain, strict=True):
        one = OneModel(model=model, guard=models.guards.of(model, models.limits), tried=done, broken_off=broken_off)
        try:
            with deadline(seconds_left(_LONGEST) / (1 + follow)):
                message = await one.answer(messages, tools)
        except (ModelUnavailable, PromptTooLarge, DeadlineExceeded) as error:
            if isinstance(error, DeadlineExceeded) and seconds_left(_LONGEST) <= 0:
                raise
            failures.append(error)
            continue
        return ModelAnswer(message=message, model=model, tried=tuple(done))
    if len(failures) == 1:
        raise failures[0]
    raise ModelUnavailable(
        f"none of {len(failures)} models answered: {'; '.join(error.message for error in failures)}",
        fix=failures[0].fix,
    ) from failures[-1]
