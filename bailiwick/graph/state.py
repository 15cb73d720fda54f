"""The state the shipped nodes work on. It lives here, not beside a graph, so that checkpoints can be read anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.channels import DeltaChannel
from langgraph.graph.message import _messages_delta_reducer  # pyright: ignore[reportPrivateUsage]  experimental still

__all__ = [
    "Answer",
    "Aside",
    "CorrectiveState",
    "Given",
    "HandedOver",
    "HandoverState",
    "Messages",
    "Plan",
    "PlanState",
    "Searches",
    "State",
    "latest",
]

SNAPSHOTS = 100
"""Updates between two full copies of a value in a thread's checkpoints."""


def latest(_: Any, written: Sequence[Any]) -> Any:
    """The last value written. A checkpoint then need not hold it again in every step that leaves it alone."""
    return written[-1]


_merged: Any = _messages_delta_reducer
Messages = Annotated[list[AnyMessage], DeltaChannel(_merged, snapshot_frequency=SNAPSHOTS)]
"""A conversation's messages. Each checkpoint holds what is new in it, where ``add_messages`` holds everything again."""


class Answer(TypedDict):
    """What the customer gets, and what it rests on."""

    text: str
    citations: list[dict[str, Any]]
    """Passages the text cites, as ``Passage.as_dict()`` with their ``number``. Empty: the text cites none."""
    outcome: Literal["answered", "limit"]


class Aside(TypedDict):
    """Model requests of a turn that left no message, such as grades and plans."""

    question: str
    """The message that the turn answers, so that the next turn begins at none."""
    requests: int


class State(TypedDict):
    """One conversation. Everything but ``messages`` belongs to the current turn and is written anew in it."""

    messages: Messages
    passages: NotRequired[Annotated[list[dict[str, Any]], DeltaChannel(latest, snapshot_frequency=SNAPSHOTS)]]
    """What was retrieved for the last question. Empty: nothing relevant was found."""
    retrieval: NotRequired[dict[str, Any]]
    """``{mode, degraded}``: how the search went."""
    answer: NotRequired[Annotated[Answer, DeltaChannel(latest, snapshot_frequency=SNAPSHOTS)]]
    """Empty: the turn has none yet."""
    aside: NotRequired[Aside]
    """Not there: every request of the turn left a message."""


Given = Mapping[str, Any]
"""The state that a node is given: ``State``, or a state of one's own that has ``messages``. Not named by its class,
since LangGraph adds the keys of a class that a node names to the graph, where they clash with those of one's own."""


class Searches(TypedDict):
    """What was searched for after the question's own words gave nothing."""

    question: str
    queries: list[str]
    """Oldest first. Empty: only the question itself."""


class CorrectiveState(State):
    """A conversation whose passages are graded, and searched for again in other words."""

    searches: NotRequired[Searches]


class Plan(TypedDict):
    """What is still to be done for a question, the step at work left out."""

    question: str
    left: list[str]
    """Empty: the step at work is the last one."""


class PlanState(State):
    """A conversation whose questions are answered step by step."""

    plan: NotRequired[Plan]


class HandedOver(TypedDict):
    """Who answered in the agent's place."""

    question: str
    by: str
    """Empty: the application did not say."""
    at: str
    """When the answer came, ISO 8601."""
    reason: str
    """Why the model gave the conversation away."""


class HandoverState(State):
    """A conversation that a person may take over."""

    handed_over: NotRequired[HandedOver]
    """Not there, or of an earlier question: the agent answered itself."""
