"""What no single key gives away: rules that never decide, permissions for everybody, and what nobody tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from bailiwick.gate.argument_order import impossible
from bailiwick.gate.inline_tests import run_tests
from bailiwick.gate.rule_order import pieces, rule_within
from bailiwick.policy import LoadedPolicy, Rule
from bailiwick.policy.known_keys import nearest
from bailiwick.policy.remark import Remark

__all__ = ["lint"]

_ACTS = ("write", "egress", "exec")
_OPEN_END = re.compile(r"^\^?[.][*+]|(?<!\\)[.][*+]\$?$")


def lint(loaded: LoadedPolicy, *, agents: Sequence[str] | None = None) -> Iterator[Remark]:
    """Problems and warnings of one policy that has a policy's form, its failing tests among them.

    ``agents`` are the names that there are; None: not known, and then no name is wrong.
    """
    for n, rule in enumerate(loaded.policy.rules):
        if agents is not None:
            yield from _unknown_agents(loaded, n, rule, agents)
        yield from _never_decides(loaded, n)
        yield from _open_regexes(loaded, n, rule)
        yield from _origins(loaded, n, rule)
        yield from _limits(loaded, n, rule)
    for outcome in run_tests(loaded):
        if outcome.problem is not None:
            yield Remark.of(outcome.problem)
    yield from _as_a_whole(loaded)


def _unknown_agents(loaded: LoadedPolicy, n: int, rule: Rule, agents: Sequence[str]) -> Iterator[Remark]:
    for i, name in enumerate(rule.agents):
        if name != "any" and name not in agents:
            guess = nearest(name, agents)
            fix = f"did you mean {guess}?" if guess else f"name one of: {', '.join(agents) or 'none is declared'}"
            yield _remark(loaded, f"rules.{n}.agents.{i}", f"there is no agent {name!r}", fix)


def _never_decides(loaded: LoadedPolicy, n: int) -> Iterator[Remark]:
    """A rule that no call can match, or only calls that another rule has decided before it."""
    rules = loaded.policy.rules
    rule = rules[n]
    key = f"rules.{n}"
    if rule.decision != "deny" and not rule.agents:
        yield _remark(loaded, key, f"the rule {rule.id!r} is for nobody", "write agents: [NAME]")
        return
    hopeless = [name for name, arg in rule.args.items() if impossible(arg)]
    for name in hopeless:
        message = f"no value can be what {name!r} has to be, so the rule {rule.id!r} never matches one"
        yield _remark(loaded, f"{key}.args.{name}", message, "correct the constraints: they exclude each other")
    if hopeless:
        return
    first = [each for each in rules if _before(each.decision, rule.decision)]
    first += [each for each in rules[:n] if each.decision == rule.decision]
    parts = [rule] if rule.decision == "deny" else pieces(rule, first)
    deciding = [next((each for each in first if rule_within(part, each)), None) for part in parts]
    by = dict.fromkeys(repr(each.id) for each in deciding if each is not None)
    if None not in deciding:
        message = f"the rule {rule.id!r} never decides: whatever it matches is decided by {' and '.join(by)} before"
        fix = "remove it, or make the other rule smaller; deny comes before ask before allow"
        yield _remark(loaded, key, message, fix)


def _before(one: str, other: str) -> bool:
    order = ("deny", "ask", "allow")
    return order.index(one) < order.index(other)


def _open_regexes(loaded: LoadedPolicy, n: int, rule: Rule) -> Iterator[Remark]:
    for name, arg in rule.args.items():
        if arg.regex is not None and rule.decision != "deny" and _OPEN_END.search(arg.regex):
            message = f"the regex {arg.regex!r} takes anything at one of its ends, as if it were not anchored"
            fix = "say which characters may stand there, such as [A-Za-z0-9 ]{0,40}"
            yield _remark(loaded, f"rules.{n}.args.{name}.regex", message, fix, severity="warning")


def _origins(loaded: LoadedPolicy, n: int, rule: Rule) -> Iterator[Remark]:
    for name, arg in rule.args.items():
        for word, origins in (("from", arg.origins), ("links", arg.links)):
            key = f"rules.{n}.args.{name}.{word}"
            if origins is None:
                continue
            if "any" in origins and len(origins) > 1:
                message = f"{word} takes values from anywhere, so the other origins beside any say nothing"
                yield _remark(loaded, key, message, "write [any], or remove any", severity="warning")
            elif "model" in origins and word == "from" and rule.decision == "allow" and loaded.policy.effect in _ACTS:
                message = f"what the model makes up may be {name!r}, and what it was talked into looks like that"
                fix = "remove model, so that a person is asked about what was found nowhere"
                yield _remark(loaded, key, message, fix, severity="warning")


def _limits(loaded: LoadedPolicy, n: int, rule: Rule) -> Iterator[Remark]:
    for m, limit in enumerate(rule.limits):
        if limit.calls == 0:
            message = f"no call stays within the limit, so the rule {rule.id!r} never matches"
            yield _remark(loaded, f"rules.{n}.limits.{m}", message, "allow at least one, or remove the rule")


def _as_a_whole(loaded: LoadedPolicy) -> Iterator[Remark]:
    policy = loaded.policy
    for n, rule in enumerate(policy.rules):
        if rule.decision == "allow" and "any" in rule.agents and policy.effect in _ACTS:
            message = f"the rule {rule.id!r} lets every agent use a tool whose effect is {policy.effect}"
            fix = "name the agents that need it, those that will be written later are none of them"
            yield _remark(loaded, f"rules.{n}.agents", message, fix, severity="warning")
    if policy.rules and not policy.tests:
        message = "the policy has no tests, so nothing holds its rules to what you meant"
        fix = "write tests: with a call that goes through and one that must not"
        yield _remark(loaded, "", message, fix, severity="warning")
    if not policy.rules:
        message = "the policy has no rules, so the tool may never be called"
        yield _remark(loaded, "", message, "write rules:, or remove the tool and its policy", severity="warning")


def _remark(
    loaded: LoadedPolicy, key: str, message: str, fix: str, *, severity: Literal["problem", "warning"] = "problem"
) -> Remark:
    line = loaded.line(key) if key else None
    return Remark(severity=severity, message=message, file=str(loaded.file), line=line, key=key, fix=fix)
