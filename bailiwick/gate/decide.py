"""May this call happen? Pure and total: the same answer each time, and an answer whatever it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from bailiwick.gate.compiled import CompiledRule, Failure, compiled
from bailiwick.gate.explain import CUSTOMER, asked_for_origins, denied_by_default, denied_by_rule
from bailiwick.gate.json_value import malformed, shown
from bailiwick.gate.verdict import Allow, Ask, Call, Context, Deny, Verdict
from bailiwick.policy import LoadedPolicy

__all__ = ["decide"]


def decide(call: Call, loaded: LoadedPolicy, context: Context) -> Verdict:
    """Decide on ``call`` under ``loaded``: deny before ask before allow, and deny where no rule matches.

    A rule that would allow the call but for where its values come from makes it a question.

    Never raises: a call that is no JSON, a policy for another tool and a fault of the gate itself are denials with the
    keys ``call``, ``tool`` and ``gate``.
    """
    try:
        return _decide(call, loaded, context)
    except Exception as error:  # noqa: BLE001  whatever goes wrong here must not let the call through
        return Deny(
            reason=f"the gate failed on this call, which denies it: {type(error).__name__}",
            key="gate",
            advice="This call cannot be decided on. Do not try it again.",
            customer=CUSTOMER["deny"],
        )


def _decide(call: Call, loaded: LoadedPolicy, context: Context) -> Verdict:
    if problem := _malformed(call):
        return Deny(
            reason=f"the call is malformed: {problem}",
            key="call",
            advice="Send the arguments as one plain JSON object.",
            customer=CUSTOMER["deny"],
        )
    policy = loaded.policy
    if call.tool != policy.tool:
        return Deny(
            reason=f"the policy is for {policy.tool!r} and the call is for {shown(call.tool)}",
            key="tool",
            where=loaded.where("tool"),
            advice="This tool may not be used here. Do not call it again.",
            customer=CUSTOMER["deny"],
        )
    if context.offered is not None and call.tool not in context.offered:
        return Deny(
            reason=f"{call.tool} is not offered at this point of the graph",
            key="offered",
            where=loaded.where("tool"),
            advice=f"{call.tool} is not available at this point. Use only the tools you were offered.",
            customer=CUSTOMER["deny"],
        )
    rules = compiled(loaded)
    for rule in rules.deny:
        if rule.matches(call, context):
            return denied_by_rule(rule)
    for rule in rules.ask:
        if (failures := rule.but_for_origins(call, context)) or rule.matches(call, context):
            return _ask(rule, failures, loaded, call, context)
    for rule in rules.allow:
        if rule.matches(call, context):
            return _allow(rule, loaded, context)
    for rule in rules.allow:
        if failures := rule.but_for_origins(call, context):
            return _ask(rule, failures, loaded, call, context)
    return denied_by_default((*rules.allow, *rules.ask), loaded, call, context)


def _ask(
    rule: CompiledRule, failures: Sequence[Failure], loaded: LoadedPolicy, call: Call, context: Context
) -> Verdict:
    if context.untrusted and loaded.policy.on_untrusted == "deny":
        return _tainted(rule, loaded, context)
    if failures:
        return asked_for_origins(rule, failures, loaded, call, context)
    return Ask(
        rule=rule.rule.id,
        reason=rule.rule.reason,
        where=rule.where,
        approval=rule.rule.approval,
        customer=CUSTOMER["ask"],
    )


def _allow(rule: CompiledRule, loaded: LoadedPolicy, context: Context) -> Verdict:
    if context.untrusted and loaded.policy.on_untrusted == "deny":
        return _tainted(rule, loaded, context)
    if context.untrusted and loaded.policy.on_untrusted == "ask":
        return Ask(
            rule=rule.rule.id,
            reason=f"this conversation has read untrusted content ({_sources(context)}); {rule.rule.reason}",
            where=loaded.where("on_untrusted"),
            approval=rule.rule.approval,
            key="on_untrusted",
            customer=CUSTOMER["ask"],
        )
    return Allow(rule=rule.rule.id, reason=rule.rule.reason, where=rule.where)


def _tainted(rule: CompiledRule, loaded: LoadedPolicy, context: Context) -> Deny:
    return Deny(
        reason=f"this conversation has read untrusted content ({_sources(context)}); else {rule.rule.id!r} would apply",
        rule=rule.rule.id,
        key="on_untrusted",
        where=loaded.where("on_untrusted"),
        advice="This cannot be done once the conversation has read content from outside. Say so; a person must do it.",
        customer="This cannot be done here any more, since something from outside was read. A person can do it.",
    )


def _sources(context: Context) -> str:
    more = len(context.untrusted) - 3
    return ", ".join(shown(source) for source in context.untrusted[:3]) + (f" and {more} more" if more > 0 else "")


def _malformed(call: Call) -> str:
    args = cast("object", call.args)
    if not isinstance(args, Mapping):
        return "its arguments are no object"
    given = cast("Mapping[Any, Any]", args)
    for name, value in given.items():
        if type(name) is not str:
            return "an argument's name is no text"
        if problem := malformed(value, 1) or malformed(name):
            return f"the argument {shown(name)} holds {problem}"
    return ""
