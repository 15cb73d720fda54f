"""Why a call was denied: for the operator the rule that came nearest, for the model what it may do instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from bailiwick.gate.argument_check import ABSENT
from bailiwick.gate.compiled import CompiledRule, Failure
from bailiwick.gate.json_value import number, shown
from bailiwick.gate.verdict import Call, Context, Deny
from bailiwick.policy import LoadedPolicy

__all__ = ["denied_by_default", "denied_by_rule", "why_not_met"]


def denied_by_default(rules: Iterable[CompiledRule], loaded: LoadedPolicy, call: Call, context: Context) -> Deny:
    """No rule matched: name the one that came nearest and the first of its conditions that was not met.

    Nearest is what failed in the fewest conditions; of several, the one whose bound is least exceeded, then the first.
    """
    tried = [(rule, list(rule.failures(call, context))) for rule in rules]
    if not tried:
        return Deny(
            reason="the policy has no rule that allows anything",
            key="rules",
            where=loaded.where("rules"),
            advice="This tool may not be used here. Do not call it again.",
        )
    rule, failures = min(tried, key=lambda each: _distance(each[0], each[1], call))
    first = failures[0]
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return Deny(
        reason=f"no rule matches; the nearest is {rule.rule.id!r}: {why_not_met(rule, first, call, context)}{more}",
        rule=rule.rule.id,
        key=first.key,
        where=loaded.where(f"{rule.place}.{first.key}"),
        advice=_advice(rule, first),
    )


def denied_by_rule(rule: CompiledRule) -> Deny:
    """A deny rule applies."""
    return Deny(
        reason=f"the rule {rule.rule.id!r} denies it: {rule.rule.reason}",
        rule=rule.rule.id,
        key="decision",
        where=rule.where,
        advice="This call is not permitted. Do not try it again, however changed; say that it cannot be done.",
    )


def _distance(rule: CompiledRule, failures: Sequence[Failure], call: Call) -> tuple[int, Decimal]:
    failed = failures[0]
    if failed.kind not in ("gt", "ge", "lt", "le"):
        return len(failures), Decimal(0)
    bound: Decimal = getattr(rule.rule.args[failed.name], failed.kind)
    value = number(call.args[failed.name])
    return len(failures), abs(value - bound) if value is not None else Decimal("Infinity")


def why_not_met(rule: CompiledRule, failure: Failure, call: Call, context: Context) -> str:
    """In words for the operator: the key, and why ``call`` does not meet it."""
    match failure.kind:
        case "agents":
            return f"agents: {shown(call.agent)} is not among its agents"
        case "unnamed":
            return f"args: the rule does not name the argument {shown(failure.name)}"
        case "after":
            wanted = rule.rule.after[int(failure.key.rpartition(".")[2])]
            what = "successful" if wanted.ok else "failed"
            same = f" with the same {' and '.join(wanted.same)}" if wanted.same else ""
            return f"{failure.key}: no {what} call of {wanted.tool}{same} came before"
        case _:
            value = call.args.get(failure.name, ABSENT)
            return f"{failure.key}: {rule.args[failure.name].explain(failure.kind, value, context.session)}"


def _advice(rule: CompiledRule, failure: Failure) -> str:
    """Enough to do better, and nothing to aim by: no limits, patterns, rule names or values of the session."""
    name = failure.name
    match failure.kind:
        case "agents":
            return "This tool is not yours to use. Do not call it again."
        case "unnamed":
            return f"Call it without the argument {shown(name)}."
        case "absent":
            return f"The argument {name!r} has to be given."
        case "after":
            wanted = rule.rule.after[int(failure.key.rpartition(".")[2])]
            if not wanted.ok:
                return "This call is not permitted at this point."
            same = f" with the same {' and '.join(wanted.same)}" if wanted.same else ""
            return f"Call {wanted.tool}{same} first, and this again only when it succeeded."
        case "type" | "regex":
            return (
                f"The argument {name!r} does not have the form it must have. Ask for the right value, do not guess it."
            )
        case "max_length" | "length":
            return f"The argument {name!r} is too long. Shorten it."
        case "equals" if str(rule.rule.args[name].equals).startswith("$session."):
            return f"The argument {name!r} may only be that of the person who is speaking. Do not act for anybody else."
        case _:
            return (
                f"The value of {name!r} is outside what is permitted here. Do not try other values; say that it cannot "
                "be done this way."
            )
