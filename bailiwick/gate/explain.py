"""Why a call was denied: for the operator the rule that came nearest, for the model what it may do instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from bailiwick.gate.addresses import addresses
from bailiwick.gate.argument_check import ABSENT, unset
from bailiwick.gate.compiled import CompiledRule, Failure
from bailiwick.gate.json_value import number, shown
from bailiwick.gate.verdict import Ask, Call, Context, Deny
from bailiwick.policy import LoadedPolicy, Used

__all__ = ["CUSTOMER", "asked_for_origins", "denied_by_default", "denied_by_rule", "why_not_met"]

CUSTOMER = {
    "ask": "A person has to agree to this first.",
    "deny": "This cannot be done here.",
}
"""What the person for whom a call is made is told where there is nothing more to say."""


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
            customer=CUSTOMER["deny"],
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
        customer=_for_customer(first),
    )


def denied_by_rule(rule: CompiledRule) -> Deny:
    """A deny rule applies."""
    return Deny(
        reason=f"the rule {rule.rule.id!r} denies it: {rule.rule.reason}",
        rule=rule.rule.id,
        key="decision",
        where=rule.where,
        advice="This call is not permitted. Do not try it again, however changed; say that it cannot be done.",
        customer=CUSTOMER["deny"],
    )


def asked_for_origins(
    rule: CompiledRule, failures: Sequence[Failure], loaded: LoadedPolicy, call: Call, context: Context
) -> Ask:
    """Nothing but where values come from keeps ``rule`` from matching: a person judges."""
    why = "; ".join(why_not_met(rule, failure, call, context) for failure in failures)
    return Ask(
        rule=rule.rule.id,
        reason=f"{why}; {rule.rule.reason}",
        where=loaded.where(f"{rule.place}.{failures[0].key}"),
        approval=rule.rule.approval,
        key=failures[0].key,
        customer="A person has to agree to this first, since not all of it came from you.",
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
        case "limits":
            return f"{failure.key}: {_limit_reached(rule, failure, call, context)}"
        case "from":
            value = call.args.get(failure.name)
            accepted = rule.origins[failure.name]
            if rule.rule.decision == "deny":
                return f"{failure.key}: {shown(value)} comes from none of {_listed(accepted)}"
            vouched = context.confirmed.get((rule.rule.id, failure.name), ())
            strange = context.origins.foreign(value, accepted, vouched)
            found = " and ".join(context.origins.labels(strange))
            return f"{failure.key}: {shown(strange)} comes from {found}, not from {_listed(accepted)}"
        case "links":
            accepted = rule.links[failure.name]
            strange = context.origins.foreign(addresses(call.args.get(failure.name)), accepted)
            found = " and ".join(context.origins.labels(strange))
            return f"{failure.key}: {shown(strange)} in it comes from {found}, not from {_listed(accepted)}"
        case "without":
            label = context.origins.carried(call.args.get(failure.name), rule.without[failure.name])
            return f"{failure.key}: {shown(call.args.get(failure.name))} holds something labelled {label}"
        case _:
            value = call.args.get(failure.name, ABSENT)
            return f"{failure.key}: {rule.args[failure.name].explain(failure.kind, value, context.session)}"


def _limit_reached(rule: CompiledRule, failure: Failure, call: Call, context: Context) -> str:
    n = int(failure.key.rpartition(".")[2])
    limit = rule.rule.limits[n]
    if limit.per == "user" and unset(context.session.get("user_id")):
        return "$session.user_id is not set, so nobody's calls can be counted"
    used = context.used.get((rule.rule.id, n), Used())
    within = f" within {limit.window.total_seconds():g}s" if limit.window is not None else ""
    per = "in all" if limit.per == "all" else f"per {limit.per}"
    if limit.calls is not None:
        return f"{used.calls} of {limit.calls} calls {per}{within} are used up"
    return (
        f"{limit.sum} would come to {used.sum} and {shown(call.args.get(limit.sum or ''))} {per}{within}, "
        f"which is more than {limit.le}"
    )


def _listed(origins: Iterable[str]) -> str:
    return " or ".join(sorted(origins))


def _for_customer(failure: Failure) -> str:
    match failure.kind:
        case "limits":
            return "This has been done as often, or for as much, as may be done for now."
        case "after":
            return "Something else has to be looked at before this can be done."
        case _:
            return CUSTOMER["deny"]


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
        case "limits":
            return (
                "This has been done as often, or for as much, as is permitted for now. Do not try it again, nor in "
                "smaller parts; say so."
            )
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
