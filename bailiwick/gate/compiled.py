"""A policy made ready for deciding: done once for each loaded policy, so that a decision costs microseconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

from bailiwick.gate.addresses import addresses
from bailiwick.gate.argument_check import ABSENT, ArgumentCheck, compile_argument, unset
from bailiwick.gate.json_value import equal, number
from bailiwick.gate.verdict import Call, Context
from bailiwick.policy import LoadedPolicy, Policy, Preceding, RateLimit, Rule, Used

__all__ = ["CompiledPolicy", "CompiledRule", "Failure", "agents_of", "compiled"]

_ZERO = Decimal(0)
_NOTHING = Used()


@dataclass(frozen=True, slots=True)
class Failure:
    """One condition of a rule that a call does not meet. ``key`` is relative to the rule: ``args.amount.le``."""

    key: str
    kind: str
    """``agents``, ``unnamed``, ``after``, ``limits``, ``from``, ``links``, ``without``; or the constraint of the
    argument: ``absent``, ``type``, ``regex``, ..."""
    name: str = ""
    """The argument, or the tool that had to come before."""
    unsure: bool = False
    """Whether the condition could not be tried rather than failed."""

    @property
    def asks(self) -> bool:
        """Whether it is about where a value comes from, which is for a person to judge and no reason to deny."""
        return self.kind in ("from", "links", "without")


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its arguments' constraints compiled. ``agents`` None: every agent."""

    rule: Rule
    place: str
    """The rule's own key in its file, such as ``rules.0``."""
    where: str
    agents: frozenset[str] | None
    args: Mapping[str, ArgumentCheck]
    origins: Mapping[str, frozenset[str]]
    """Of arguments that must come from somewhere: from where."""
    links: Mapping[str, frozenset[str]]
    """Of arguments whose addresses must come from somewhere: from where."""
    without: Mapping[str, frozenset[str]]
    """Of arguments that must not carry some results: the labels of those."""

    def failures(self, call: Call, context: Context) -> Iterator[Failure]:
        """What keeps the call from matching: agents, arguments, what came before, limits, origins. Nothing: it matches.

        Origins come last, since they alone make a question of what would be allowed.
        """
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
        for n, limit in enumerate(self.rule.limits):
            if _used_up(self.rule.id, n, limit, call, context):
                yield Failure(f"limits.{n}", "limits", limit.sum or "")
        if self.traces:
            yield from self._of_origins(call, context)

    def _of_origins(self, call: Call, context: Context) -> Iterator[Failure]:
        for name, accepted in self.origins.items():
            if name not in call.args:
                continue  # absent and optional: there is nothing that could come from anywhere
            value = call.args[name]
            if self.rule.decision == "deny":
                held = context.origins.stems_from(value, accepted)
            else:
                vouched = context.confirmed.get((self.rule.id, name), ())
                held = context.origins.foreign(value, accepted, vouched) is None
            if not held:
                yield Failure(f"args.{name}.from", "from", name)
        for name, accepted in self.links.items():
            if context.origins.foreign(addresses(call.args.get(name)), accepted) is not None:
                yield Failure(f"args.{name}.links", "links", name)
        for name, labels in self.without.items():
            if context.origins.carried(call.args.get(name), labels) is not None:
                yield Failure(f"args.{name}.without", "without", name)

    @property
    def traces(self) -> bool:
        """Whether it asks where any value comes from."""
        return bool(self.origins or self.links or self.without)

    def matches(self, call: Call, context: Context) -> bool:
        """Whether the rule applies. A deny rule also applies where a condition of it could not be tried."""
        if self.rule.decision == "deny":
            return all(failure.unsure for failure in self.failures(call, context))
        return next(self.failures(call, context), None) is None

    def but_for_origins(self, call: Call, context: Context) -> list[Failure]:
        """What is wrong with where values come from where nothing else is; empty: it matches, or fails otherwise."""
        if not self.traces:
            return []
        failures = list(self.failures(call, context))
        return failures if all(failure.asks for failure in failures) else []


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
        origins={name: arg.accepted for name, arg in rule.args.items() if arg.accepted is not None},
        links={name: arg.accepted_links for name, arg in rule.args.items() if arg.accepted_links is not None},
        without={name: frozenset(arg.without) for name, arg in rule.args.items() if arg.without},
    )


def _used_up(rule: str, n: int, limit: RateLimit, call: Call, context: Context) -> bool:
    """Whether this call would go beyond ``limit``, or nobody can say: of a limit per user where no user is bound."""
    if limit.per == "user" and unset(context.session.get("user_id")):
        return True
    used = context.used.get((rule, n), _NOTHING)
    if limit.calls is not None:
        return used.calls + 1 > limit.calls
    value = number(call.args.get(limit.sum or ""))
    return value is None or limit.le is None or used.sum + max(value, _ZERO) > limit.le


def _came_before(preceding: Preceding, call: Call, context: Context) -> bool:
    return any(
        past.tool == preceding.tool
        and past.ok is preceding.ok
        and all(_same(name, call.args, past.args) for name in preceding.same)
        for past in context.past
    )


def _same(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return name in one and name in other and equal(one[name], other[name])
