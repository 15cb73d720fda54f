"""What happens in a turn, as it happens; and the turn as it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bailiwick.toolbox import CallRecord

__all__ = ["BrokenOff", "Called", "Event", "Finished", "Question", "Retrieved", "Token", "Turn"]


@dataclass(frozen=True, kw_only=True)
class Retrieved:
    """The search came back. Empty ``passages``: nothing relevant."""

    passages: Sequence[Mapping[str, Any]]
    mode: str
    degraded: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Token:
    """A piece of the model's text, as it arrives."""

    text: str


@dataclass(frozen=True, kw_only=True)
class BrokenOff:
    """The pieces heard since the last call or the beginning are void: the answer broke off and is asked for again."""

    why: str


@dataclass(frozen=True, kw_only=True)
class Called:
    """A tool call has an outcome."""

    record: CallRecord


@dataclass(frozen=True, kw_only=True)
class Question:
    """A call waits for a person. Answer with ``resume({question.id: decision})``."""

    id: str
    """LangGraph's interrupt id, and what tells this question from others of the same call."""
    tool: str
    args: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A turn as it ended.

    ``waiting``: ``questions`` are to be answered first. ``failed``: ``error`` says why; the conversation is kept.
    ``limit``: the agent's step limit was reached and ``text`` is what it had.
    """

    agent: str
    thread: str
    outcome: Literal["answered", "limit", "waiting", "failed"]
    text: str = ""
    citations: Sequence[Mapping[str, Any]] = ()
    calls: Sequence[CallRecord] = ()
    """Calls that had their outcome in this turn."""
    questions: Sequence[Question] = ()
    passages: Sequence[Mapping[str, Any]] = ()
    degraded: Sequence[str] = ()
    model: str = ""
    tried: Sequence[str] = ()
    """In words, what was tried where a model did not answer at the first attempt. Empty: each did."""
    notice: str = ""
    """What an answer given without a model should say of itself; empty with a model."""
    error: str = ""
    trace_id: str = ""
    span_id: str = ""
    seconds: float = 0.0
    error_paths: Sequence[str] = field(default_factory=tuple)
    """Fingerprints of the error paths of this turn."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The last event of every turn."""

    turn: Turn


Event = Retrieved | Token | BrokenOff | Called | Finished
