"""A policy made ready for deciding: done once for each loaded policy, so that a decision costs microseconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from bailiwick.gate.argument_check import ABSENT, ArgumentCheck, compile_argument
from bailiwick.gate.json_value import equal
from bailiwick.gate.verdict import Call, Context
from bailiwick.policy import LoadedPolicy, Policy, Preceding, Rule

__all__ = ["CompiledPolicy", "CompiledRule", "Failure", "agents_of", "compiled"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One condition of a rule that a call does not meet. ``key`` is relative to the rule: ``args.amount.le``."""

    key: str
    kind: str
    """``agents``, ``unnamed``, ``after``, or the constraint of the argument: ``absent``, ``type``, ``regex``, ..."""
    name: str = ""
    """The argument, or the tool that had to come before."""
    unsure: bool = False
    """Whether the condition could not be tried rather than failed."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its arguments' constraints compiled. ``agents`` None: every agent."""

    rule: Rule
    place: str
    """The rule's own key in its file, such as ``rules.0``."""
    where: str
    agents: frozenset[str] | None
    args: Mapping[str, ArgumentCheck]

    def failures(self, call: Call, context: Context) -> Iterator[Failure]:
        """What keeps the call from matching, in the order agents, arguments, what came before. Nothing: it matches."""
        if self.agents is not None and call.agent not in self.agents:
            yield Failure("agents", "agents")
        given = call.args
        # For a deny rule, arguments that it does not speak of change nothing.
        if self.rule.decision != "deny":
            for name in given:
                if name not in self.args:
                    yield Failure(f"args.{name}", "unnamed", name)
        for name, check in self.args.items():
            if key := check.failing(given.get(name, ABSENT), context.session):
                place = f"args.{name}" if key in ("absent", "length") else f"args.{name}.{key}"
                yield Failure(place, key, name, key in check.unsure)
        for n, preceding in enumerate(self.rule.after):
            if not _came_before(preceding, call, context):
                yield Failure(f"after.{n}", "after", preceding.tool)

    def matches(self, call: Call, context: Context) -> bool:
        """Whether the rule applies. A deny rule also applies where a condition of it could not be tried."""
        if self.rule.decision == "deny":
            return all(failure.unsure for failure in self.failures(call, context))
        return next(self.failures(call, context), None) is None


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """The rules of one policy, by what they decide, each in the order of the file."""

    policy: Policy
    deny: tuple[CompiledRule, ...]
    ask: tuple[CompiledRule, ...]
    allow: tuple[CompiledRule, ...]


_kept: WeakKeyDictionary[LoadedPolicy, CompiledPolicy] = WeakKeyDictionary()


def compiled(loaded: LoadedPolicy) -> CompiledPolicy:
    """``loaded`` compiled, the same each time."""
    found = _kept.get(loaded)
    if found is None:
        found = _kept[loaded] = _compile(loaded)
    return found


def agents_of(rule: Rule) -> frozenset[str] | None:
    """Whom ``rule`` is for; None: every agent."""
    everyone = "any" in rule.agents or (rule.decision == "deny" and not rule.agents)
    return None if everyone else frozenset(rule.agents)


def _compile(loaded: LoadedPolicy) -> CompiledPolicy:
    rules = [_compile_rule(loaded, n, rule) for n, rule in enumerate(loaded.policy.rules)]
    deny, ask, allow = (
        tuple(each for each in rules if each.rule.decision == decision) for decision in ("deny", "ask", "allow")
    )
    return CompiledPolicy(policy=loaded.policy, deny=deny, ask=ask, allow=allow)


def _compile_rule(loaded: LoadedPolicy, n: int, rule: Rule) -> CompiledRule:
    return CompiledRule(
        rule=rule,
        place=f"rules.{n}",
        where=loaded.where(f"rules.{n}"),
        agents=agents_of(rule),
        args={name: compile_argument(arg) for name, arg in rule.args.items()},
    )


def _came_before(preceding: Preceding, call: Call, context: Context) -> bool:
    return any(
        past.tool == preceding.tool
        and past.ok is preceding.ok
        and all(_same(name, call.args, past.args) for name in preceding.same)
        for past in context.past
    )


def _same(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return name in one and name in other and equal(one[name], other[name])
