"""A decision is a value with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from bailiwick.gate.origins import NOWHERE, Origins
from bailiwick.policy.model import Approval, Used

__all__ = ["Allow", "Ask", "Call", "Context", "Deny", "PastCall", "Verdict"]


@dataclass(frozen=True, kw_only=True)
class Call:
    """A tool call as the model asked for it. ``args`` is what it sent, not yet trusted in any way."""

    id: str
    tool: str
    agent: str
    args: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PastCall:
    """A call that has an outcome, in this thread."""

    tool: str
    args: Mapping[str, Any]
    ok: bool


@dataclass(frozen=True, kw_only=True)
class Context:
    """What the gate knows besides the call. Empty is the least: nobody speaks, nothing came before."""

    session: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Who is speaking, bound by the application: ``user_id``, ``roles``."""
    past: tuple[PastCall, ...] = ()
    untrusted: tuple[str, ...] = ()
    """Names of the untrusted sources this thread has read. Empty: none."""
    offered: frozenset[str] | None = None
    """Tools that this state of the graph offers; None when the graph does not say."""
    origins: Origins = NOWHERE
    """What entered the conversation. Empty: every value is the model's."""
    used: Mapping[tuple[str, int], Used] = field(default_factory=dict[tuple[str, int], Used])
    """What other calls have used of a limit, by the rule's id and the limit's place in it. Empty: nothing."""
    confirmed: Mapping[tuple[str, str], Sequence[Any]] = field(default_factory=dict[tuple[str, str], Sequence[Any]])
    """Values that a person has vouched for, by the rule's id and the argument. Empty: none."""


@dataclass(frozen=True, kw_only=True)
class Allow:
    """The call may run."""

    decision: ClassVar[Literal["allow"]] = "allow"

    rule: str
    reason: str
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """The call may run once a person has said yes."""

    decision: ClassVar[Literal["ask"]] = "ask"

    rule: str
    reason: str
    where: str = ""
    approval: Approval = field(default_factory=Approval)
    key: str = ""
    """``on_untrusted`` when an allow became a question because of what the thread had read; ``args.NAME.from`` or
    ``args.NAME.without`` when it did because of where a value comes from. Empty: the rule itself asks."""
    customer: str = ""
    """What the person who waits may be told; nothing internal."""


@dataclass(frozen=True, kw_only=True)
class Deny:
    """The call does not run.

    ``reason`` is for the operator and the trace, ``advice`` for the model: what it may do instead, nothing internal;
    ``customer`` for the person it was meant for.
    """

    decision: ClassVar[Literal["deny"]] = "deny"

    reason: str
    rule: str | None = None
    key: str = ""
    where: str = ""
    advice: str = ""
    customer: str = ""


Verdict = Allow | Ask | Deny
