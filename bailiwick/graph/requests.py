"""How many requests to models a turn has made, read off the conversation, so that it is the same after a resume."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import BaseMessage

from bailiwick.graph.state import Aside, Given

__all__ = ["aside", "question_key", "requests_made"]


def requests_made(state: Given) -> int:
    """Requests since the last question: each left a message, or is counted in ``aside``."""
    made = 0
    for message in reversed(state["messages"]):
        if message.type == "human":
            break
        made += message.type == "ai"
    return made + _aside(state)


def aside(state: Given) -> Aside:
    """One more request that left no message, to be written to ``state["aside"]``."""
    return Aside(question=question_key(state["messages"]), requests=_aside(state) + 1)


def question_key(messages: Sequence[BaseMessage]) -> str:
    """What tells the last question from those before it: its id, or where it stands. Empty: nobody has asked."""
    for at in range(len(messages) - 1, -1, -1):
        if messages[at].type == "human":
            return messages[at].id or str(at)
    return ""


def _aside(state: Given) -> int:
    kept = state.get("aside")
    return kept["requests"] if kept and kept["question"] == question_key(state["messages"]) else 0
