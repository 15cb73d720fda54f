"""The end of a conversation as text, for a model that judges it and takes no part in it."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

__all__ = ["transcript"]

_LAST = 6
_LONGEST = 2000
_WHO = {"human": "Customer", "ai": "Agent"}


def transcript(messages: Sequence[BaseMessage]) -> str:
    """What was said last by the customer and the agent, a line each; results of tools are left out.

    Empty: nobody has said anything.
    """
    said = [message for message in messages if message.type in _WHO and message.text.strip()]
    return "\n".join(f"{_WHO[message.type]}: {message.text.strip()[:_LONGEST]}" for message in said[-_LAST:])
