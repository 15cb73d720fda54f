"""The state the shipped nodes work on. It lives here, not beside a graph, so that checkpoints can be read anywhere."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages

__all__ = ["Answer", "State"]


class Answer(TypedDict):
    """What the customer gets, and what it rests on."""

    text: str
    citations: list[dict[str, Any]]
    """Passages the text cites, as ``Passage.as_dict()`` with their ``number``. Empty: the text cites none."""
    outcome: Literal["answered", "limit"]


class State(TypedDict):
    """One conversation. Everything but ``messages`` belongs to the current turn and is written anew in it."""

    messages: Annotated[list[AnyMessage], add_messages]
    passages: NotRequired[list[dict[str, Any]]]
    """What was retrieved for the last question. Empty: nothing relevant was found."""
    retrieval: NotRequired[dict[str, Any]]
    """``{mode, degraded}``: how the search went."""
    steps: NotRequired[int]
    """Model requests made in this turn, against the agent's limit."""
    answer: NotRequired[Answer | None]
