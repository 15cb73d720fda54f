"""Calls that lie at the edges of rules, to show by an example what a change of a policy opens."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from bailiwick.gate.argument_check import compile_argument
from bailiwick.gate.compiled import agents_of
from bailiwick.gate.matching_texts import matching_texts
from bailiwick.gate.origins import MODEL, NOWHERE, Origins, Source, leaves
from bailiwick.gate.verdict import Call, Context, PastCall
from bailiwick.policy import ArgRule, Policy, Rule, Used

__all__ = ["sample_calls", "sample_values"]

_TRIES = 400
_VALUES = 10
_LONG = 5000
_ABSENT = object()
_SESSION = "$session."
_STRANGER = "another_agent"


def sample_calls(rule: Rule, policies: Sequence[Policy], *, also: Rule | None = None) -> Iterator[tuple[Call, Context]]:
    """Calls that ``rule`` is about, some hundred at most; with ``also``, calls that both are about.

    Values come from the constraints and tests of all ``policies``, since a change lies where one ends and one begins.
    """
    names = [*rule.args, *(name for name in (also.args if also else {}) if name not in rule.args)]
    pools = [_pool(name, rule, policies) for name in names]
    rules = [rule, *([also] if also else [])]
    agents = list(_agents(rule, policies))
    limits = _used(policies)
    for chosen in itertools.islice(itertools.product(agents, *pools), _TRIES):
        agent, values = chosen[0], chosen[1:]
        args = {name: value for name, value in zip(names, values, strict=True) if value is not _ABSENT}
        for involved in ([rule], rules)[: len(rules)]:
            session = _session(involved, args)
            past = tuple(_past(involved, args))
            for untrusted, origins, used in itertools.product(((), ("a page",)), _origins(args, policies), limits):
                yield (
                    Call(id="example", tool=policies[0].tool, agent=agent, args=args),
                    Context(session=session, past=past, untrusted=untrusted, origins=origins, used=used),
                )


def sample_values(arg: ArgRule) -> list[Any]:
    """Values at the edges of ``arg``, some of them inside and some outside."""
    found: list[Any] = [*(arg.enum or ())]
    if arg.equals is not None:
        reference = isinstance(arg.equals, str) and arg.equals.startswith(_SESSION)
        found.append("U-1" if reference else arg.equals)
    bounds = sorted(bound for bound in (arg.gt, arg.ge, arg.lt, arg.le) if bound is not None)
    if len(bounds) > 1:
        found.append(_json((bounds[0] + bounds[-1]) / 2))
    found += [_json(bound + step) for bound in bounds for step in (Decimal(0), Decimal(1), Decimal(-1))]
    if arg.regex is not None:
        found += matching_texts(arg.regex)
    if arg.max_length is not None:
        found += ["x" * length for length in (arg.max_length, arg.max_length + 1) if length <= _LONG]
    match arg.type:
        case "string":
            found += ["x", ""]
        case "integer" | "decimal":
            found += [1, 0, -1, 10**6] + ([0.5] if arg.type == "decimal" else [])
        case "boolean":
            found += [True, False]
        case "list":
            found += [[], ["x"]]
        case "object":
            found += [{}, {"x": 1}]
        case None if not found:
            found += ["x", 1, True, None]
        case None:
            pass
    return found


def _origins(args: dict[str, Any], policies: Sequence[Policy]) -> list[Origins]:
    """Nothing known of the values; then all of them from each of the origins that the policies speak of."""
    named = {label for arg in _args(policies) for label in (*(arg.accepted or ()), *(arg.accepted_links or ()))}
    labelled = {label for arg in _args(policies) for label in arg.without}
    values = tuple(leaves(args))
    found = [Origins([Source(label=label, values=values)]) for label in sorted(named - {MODEL})[:_VALUES]]
    found += [
        Origins([Source(label="tool:lookup", values=values, labels=frozenset({label}))]) for label in sorted(labelled)
    ]
    return [NOWHERE, *found]


def _used(policies: Sequence[Policy]) -> list[dict[tuple[str, int], Used]]:
    """No call before; then as many, and as much, as one of the limits takes in all."""
    places = [(rule.id, n) for policy in policies for rule in policy.rules for n in range(len(rule.limits))]
    limits = [limit for policy in policies for rule in policy.rules for limit in rule.limits]
    full = sorted({(limit.calls or 0, limit.le or Decimal(0)) for limit in limits})
    return [{}, *(dict.fromkeys(places, Used(calls=calls, sum=total)) for calls, total in full[:_VALUES])]


def _args(policies: Sequence[Policy]) -> Iterator[ArgRule]:
    for policy in policies:
        for rule in policy.rules:
            yield from rule.args.values()


def _pool(name: str, rule: Rule, policies: Sequence[Policy]) -> list[Any]:
    own = [rule.args[name]] if name in rule.args else []
    constraints = own + [each.args[name] for policy in policies for each in policy.rules if name in each.args]
    found = [value for arg in constraints for value in sample_values(arg)]
    found += [test.args[name] for policy in policies for test in policy.tests if name in test.args]
    if own:
        # Only what the rule itself takes can become allowed by it.
        reference = isinstance(own[0].equals, str) and own[0].equals.startswith(_SESSION)
        check = compile_argument(own[0].model_copy(update={"equals": None}) if reference else own[0])
        found = [value for value in found if not check.failing(value, {})]
    distinct = list({repr(value): value for value in found}.values())[:_VALUES]
    return distinct + ([_ABSENT] if not own or own[0].optional else [])


def _agents(rule: Rule, policies: Sequence[Policy]) -> Iterator[str]:
    mine = agents_of(rule)
    if mine is not None:
        yield from sorted(mine)
        return
    named = {agent for policy in policies for each in policy.rules for agent in each.agents} - {"any"}
    yield from (*sorted(named), _STRANGER)


def _session(rules: Sequence[Rule], args: dict[str, Any]) -> dict[str, Any]:
    # Of a limit per user somebody has to be the user.
    anyone = {"user_id": "U-1"} if any(limit.per == "user" for rule in rules for limit in rule.limits) else {}
    return anyone | {
        arg.equals.removeprefix(_SESSION): args[name]
        for rule in rules
        for name, arg in rule.args.items()
        if isinstance(arg.equals, str) and arg.equals.startswith(_SESSION) and name in args
    }


def _past(rules: Iterable[Rule], args: dict[str, Any]) -> Iterator[PastCall]:
    for rule in rules:
        for wanted in rule.after:
            same = {name: args[name] for name in wanted.same if name in args}
            yield PastCall(tool=wanted.tool, args=same, ok=wanted.ok)


def _json(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() and abs(number) < 10**18 else float(number)
