"""How large a prompt is, and that one which no model would take is not sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately

from bailiwick.errors import PromptTooLarge

__all__ = ["check_size", "surely_within", "tokens_of", "window_size"]

DEFAULT_WINDOW = 128_000
"""Tokens assumed for a model that does not state its window."""


def window_size(model: BaseChatModel) -> int:
    """Tokens that a prompt to ``model`` may have."""
    profile: Any = getattr(model, "profile", None) or {}
    return int(profile.get("max_input_tokens") or DEFAULT_WINDOW)


def tokens_of(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]] = ()) -> int:
    """About how many tokens; LangChain's estimate."""
    return count_tokens_approximately(messages, tools=list(tools) or None)


def check_size(name: str, window: int, messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> None:
    """Raises PromptTooLarge with the size and the limit."""
    if surely_within(messages, window, tools):
        return
    size = tokens_of(messages, tools)
    if size > window:
        raise PromptTooLarge(
            f"the prompt has about {size} tokens and {name} takes {window}",
            fix="start a new thread, or send less text",
        )


def surely_within(messages: Sequence[BaseMessage], tokens: int, tools: Sequence[dict[str, Any]] = ()) -> bool:
    """By the letters alone, since every request asks this: nothing is counted where there is room to spare."""
    letters = sum(len(repr(tool)) for tool in tools)
    for message in messages:
        content = message.content
        letters += 60 + (len(content) if isinstance(content, str) else len(repr(content)))
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                letters += 120 + sum(len(name) + len(str(value)) for name, value in call["args"].items())
    return letters / 3 < tokens
