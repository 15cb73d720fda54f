"""A rule made of calls that were seen: everything in it names the calls that it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bailiwick.policy import Approval, LoadedPolicy
from bailiwick.replay.arguments import Argument, Constraint, argument
from bailiwick.replay.seen import Seen, most_in_a_conversation, seen_before

__all__ = ["SuggestedRule", "suggested_rule"]


@dataclass(frozen=True, kw_only=True)
class SuggestedRule:
    """Empty: nothing was seen that could be demanded."""

    id: str
    decision: Literal["allow", "ask"]
    reason: str
    agents: Constraint
    args: tuple[Argument, ...]
    after: tuple[Constraint, ...]
    approval: Approval | None
    seen: Sequence[Seen]
    limits: tuple[Constraint, ...] = ()
    remarks: tuple[str, ...] = ()

    def limited(self, under: Sequence[Seen]) -> SuggestedRule:
        """With a limit that all of ``under``, which are decided by this rule and ran, keep to."""
        if (most := most_in_a_conversation(under)) is None:
            return replace(self, remarks=("no limits: the record does not hold whole conversations",))
        limit = Constraint(key="limits", value={"per": "session", "calls": most[0]}, seen=most[1])
        return replace(self, limits=(limit,))


def suggested_rule(
    seen: Sequence[Seen],
    *,
    decision: Literal["allow", "ask"],
    tools: Mapping[str, Any],
    existing: LoadedPolicy | None,
    exact: bool = False,
) -> SuggestedRule:
    """The rule for ``seen``, without limits yet.

    ``existing`` is asked who may approve; ``exact`` lets its arguments be nothing but what they were.
    """
    names = dict.fromkeys(name for each in seen for name in each.call.args)
    # Where a value comes from makes a question of a call, and a rule that asks does that anyway.
    args = [argument(name, seen, tools=tools, origins=decision == "allow", exact=exact) for name in names]
    agents = list(dict.fromkeys(each.call.agent for each in seen))
    after = [
        Constraint(key="after", value={"tool": tool, "ok": True, **({"same": list(same)} if same else {})}, seen=seen)
        for tool, same in seen_before(seen, tools)
    ]
    count = f"{len(seen)} call{'' if len(seen) == 1 else 's'}"
    return SuggestedRule(
        id="seen" if decision == "allow" else "approved",
        decision=decision,
        reason=f"as seen in {count} that ran" if decision == "allow" else f"a person said yes to {count} like this",
        agents=Constraint(key="agents", value=agents, seen=seen),
        args=tuple(args),
        after=tuple(after),
        approval=_approval(seen, existing, names) if decision == "ask" else None,
        seen=seen,
    )


def _approval(seen: Sequence[Seen], existing: LoadedPolicy | None, names: Mapping[str, Any]) -> Approval | None:
    """Who may approve, as in the rules that asked then, where all of them say the same."""
    if existing is None:
        return None
    asked = {each.call.rule for each in seen}
    found = [rule.approval for rule in existing.policy.rules if rule.id in asked]
    if len(found) != len(asked) or any(each != found[0] for each in found):
        return None
    return found[0].model_copy(update={"show": tuple(name for name in found[0].show if name in names)})
