"""Conversations as they were recorded: what was said and read in them, and every call with what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

__all__ = ["BEFORE", "Conversation", "RecordedCall", "Said", "recorded_origins"]

BEFORE = "before"
"""Among what is missing of a conversation: its beginning."""

_NEVER_BEGAN = frozenset({"denied", "rejected", "unknown_tool", "invalid_arguments", "unknown_outcome", "waiting"})
_NEVER_RAN = _NEVER_BEGAN | {"no_sandbox"}


@dataclass(frozen=True, kw_only=True)
class Said:
    """A text that entered the conversation: of the ``user``, the ``operator``, or a passage of the ``knowledge``."""

    label: Literal["user", "operator", "knowledge"]
    text: str
    at: float
    """Where it comes in the order of the conversation: seconds, or a count where the record has no times."""


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """One call. Empty strings: the record does not say, or the call did not get so far."""

    id: str
    tool: str
    agent: str
    args: Mapping[str, Any]
    thread: str
    trace: str = ""
    span: str = ""
    message: str = ""
    """Names the model's message that asked for it: calls of one message run side by side and do not see each other."""
    begun: float = 0.0
    ended: float = 0.0
    """Its place in the order of the conversation, as ``Said.at``."""
    time: datetime | None = None
    """When it began. None: the record has no times."""
    user: str | None = None
    """The pseudonym of who was speaking. Empty: nobody was named. None: the record does not say."""
    session: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Values of the session that the record gives away. Empty: none."""
    decision: Literal["allow", "ask", "deny", "none"] = "none"
    """``none``: the call did not come to the gate."""
    rule: str = ""
    key: str = ""
    reason: str = ""
    where: str = ""
    outcome: str = ""
    """As ``CallRecord.outcome``; ``waiting`` where a person was asked and did not answer."""
    result: str | None = None
    """What the model read of it. None: the record does not have it, or not all of it."""
    trust: str = ""
    """What its result was worth then: ``trusted`` or ``untrusted``."""
    origins: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Where its arguments came from, as the gate saw it then. Empty: the record does not say."""
    incomplete: str = ""
    """Why its arguments are not known. Empty: they are."""

    @property
    def began(self) -> bool:
        """Whether it counts as having come before those after it, whatever came of it."""
        return self.outcome not in _NEVER_BEGAN

    @property
    def ran(self) -> bool:
        """Whether the tool ran, as far as anybody knows."""
        return self.outcome not in _NEVER_RAN

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """One thread, in order."""

    thread: str
    named: bool = True
    """Whether the record names the thread; else it is one trace of a conversation that may have more."""
    said: tuple[Said, ...] = ()
    calls: tuple[RecordedCall, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the record lacks, and why: ``before`` (its beginning), or a label of texts (``user``). Empty: nothing."""


def recorded_origins(value: object) -> dict[str, tuple[str, ...]]:
    """``{argument: [label, ...]}`` as it is recorded; nothing of what has another form."""
    if not isinstance(value, Mapping):
        return {}
    given = cast("Mapping[object, object]", value)
    return {
        str(name): tuple(str(each) for each in cast("list[object]", labels))
        for name, labels in given.items()
        if isinstance(labels, list)
    }
