"""What became of one call, as JSON data: it rides on the ToolMessage, in the stream, and in ``--json`` output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast

from langchain_core.messages import ToolMessage

__all__ = ["ARTIFACT", "UNKNOWN_AFTER", "VALUE", "CallOutcome", "CallRecord", "record_of"]

CallOutcome = Literal[
    "ok", "error", "timeout", "oom", "signal", "output", "killed",
    "denied", "rejected", "unknown_tool", "invalid_arguments", "no_sandbox", "unknown_outcome",
]  # fmt: skip
"""How a call ended. The first row is the sandbox's; in the second the tool did not run (or nobody knows)."""

UNKNOWN_AFTER: frozenset[CallOutcome] = frozenset({"timeout", "oom", "signal", "output", "killed"})
"""Outcomes after which nobody knows whether a write had its effect."""

ARTIFACT = "bailiwick"
VALUE = "value"
"""In a message's artifact, beside the record: the result as JSON data, before it became text for the model."""


@dataclass(frozen=True, kw_only=True)
class CallRecord:
    """One call: what was asked, what was decided and why, where it ran and how it ended.

    Empty strings mean that the call did not get so far. ``trust`` is what its result is worth.
    """

    id: str
    tool: str
    agent: str
    args: Mapping[str, Any]
    decision: Literal["allow", "ask", "deny", "none"]
    """``none``: there was nothing to decide, since the call names no tool or does not fit its schema."""
    rule: str = ""
    reason: str = ""
    where: str = ""
    key: str = ""
    stale_policy: str = ""
    """Why the newest version of the policy's file is not the one that decided. Empty: it is."""
    origins: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Of each argument where it was found, as ``user`` or ``tool:NAME``. Empty: no rule asks."""
    customer: str = ""
    """What the person for whom the call was made may be told of a denial or a question; nothing internal."""
    approved_by: str = ""
    approved_at: str = ""
    """When the answer was read, ISO 8601 with seconds."""
    outcome: CallOutcome = "ok"
    error_type: str = ""
    error: str = ""
    trust: Literal["trusted", "mixed", "untrusted"] = "trusted"
    """``mixed``: some fields of the result hold what others wrote."""
    sandbox: str = ""
    container: str = ""
    start_ms: float = 0.0
    wall_ms: float = 0.0
    files: tuple[str, ...] = ()
    """Files that the call left, relative to the folder ``sandbox.files.output`` of its policy."""
    replayed: bool = False
    """Whether the result came from the ledger, without running the tool again."""
    error_path: str = ""
    """The fingerprint of the error path; empty when nothing went wrong."""
    error_path_state: str = ""
    """``new``, ``known`` or ``regressed``."""
    span_id: str = ""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CallRecord:
        """Read back what ``as_dict`` gave, also of a version that wrote fields which are gone now."""
        known = {each.name for each in fields(cls)}
        given: dict[str, Any] = {name: value for name, value in data.items() if name in known}
        given["files"] = tuple(given.get("files", ()))
        return cls(**given)

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"

    @property
    def untrusted(self) -> bool:
        """Whether it brought text from outside into the conversation; the message of a failure is such text too."""
        return self.trust != "trusted" and self.outcome in ("ok", "error")

    def as_dict(self) -> dict[str, Any]:
        # Not ``asdict``: its deep copies of a call's arguments cost more than the decision about the call.
        return {name: getattr(self, name) for name in _FIELDS}


_FIELDS = tuple(each.name for each in fields(CallRecord))


def record_of(message: ToolMessage) -> CallRecord | None:
    """The record a ToolMessage of ours carries, or None for another's."""
    artifact: Any = message.artifact
    data: Any = cast("dict[str, Any]", artifact).get(ARTIFACT) if isinstance(artifact, dict) else None
    return CallRecord.from_dict(cast("dict[str, Any]", data)) if isinstance(data, dict) else None
