"""What would happen to a call, and of every rule what keeps it from deciding: for people who write policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bailiwick.gate.compiled import CompiledRule, compiled
from bailiwick.gate.decide import decide
from bailiwick.gate.explain import why_not_met
from bailiwick.gate.verdict import Call, Context, Verdict
from bailiwick.policy import LoadedPolicy

__all__ = ["Explained", "NotMet", "RuleAnswer", "explain"]

_BEFORE_ANY_RULE = ("call", "tool", "gate", "offered")


@dataclass(frozen=True, kw_only=True)
class NotMet:
    """A condition that the call does not meet: its key in the file, where that is, and why."""

    key: str
    where: str
    why: str


@dataclass(frozen=True, kw_only=True)
class RuleAnswer:
    """What one rule says to the call. ``outcome`` ``shadowed``: it matches, and another decides before it."""

    rule: str
    decision: Literal["allow", "ask", "deny"]
    where: str
    outcome: Literal["decides", "shadowed", "no match"]
    not_met: tuple[NotMet, ...]
    """Empty: it matches. A deny rule also matches where a condition could not be tried."""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """The verdict, and every rule in the order in which they are tried. No rules: it did not come to them."""

    verdict: Verdict
    rules: tuple[RuleAnswer, ...]


def explain(call: Call, loaded: LoadedPolicy, context: Context) -> Explained:
    """Decide on ``call`` as the gate does, and ask every rule besides. Raises nothing."""
    verdict = decide(call, loaded, context)
    key = getattr(verdict, "key", "")
    if key in _BEFORE_ANY_RULE:
        return Explained(verdict=verdict, rules=())
    rules = compiled(loaded)
    answers: list[RuleAnswer] = []
    decided = False
    for rule in (*rules.deny, *rules.ask, *rules.allow):
        matches = rule.matches(call, context)
        outcome: Literal["decides", "shadowed", "no match"] = (
            "no match" if not matches else "shadowed" if decided else "decides"
        )
        decided = decided or matches
        answers.append(
            RuleAnswer(
                rule=rule.rule.id,
                decision=rule.rule.decision,
                where=rule.where,
                outcome=outcome,
                not_met=() if matches else _not_met(rule, loaded, call, context),
            )
        )
    return Explained(verdict=verdict, rules=tuple(answers))


def _not_met(rule: CompiledRule, loaded: LoadedPolicy, call: Call, context: Context) -> tuple[NotMet, ...]:
    return tuple(
        NotMet(
            key=failure.key,
            where=loaded.where(f"{rule.place}.{failure.key}"),
            why=why_not_met(rule, failure, call, context).removeprefix(f"{failure.key}: "),
        )
        for failure in rule.failures(call, context)
        # A deny rule counts what it could not try as met.
        if not (rule.rule.decision == "deny" and failure.unsure)
    )
