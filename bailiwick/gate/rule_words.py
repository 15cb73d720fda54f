"""A rule in words, and what differs between two rules of the same id."""

from __future__ import annotations

from collections.abc import Iterator

from bailiwick.policy import Approval, ArgRule, Preceding, RateLimit, Rule

__all__ = ["rule_changes", "rule_in_words"]

_NOBODY = {"allow": "nobody", "ask": "nobody", "deny": "everybody"}


def rule_in_words(rule: Rule) -> str:
    """``allow support: amount gt 0, le 50; order_id …; after lookup_order``."""
    args = "; ".join(f"{name} {_constraints(arg)}".rstrip() for name, arg in rule.args.items()) or "no arguments"
    after = "".join(f"; after {_preceding(each)}" for each in rule.after)
    limits = "".join(f"; at most {_limit(each)}" for each in rule.limits)
    return f"{rule.decision} {_agents(rule)}: {args}{after}{limits}"


def rule_changes(old: Rule, new: Rule) -> Iterator[tuple[str, str]]:
    """Each part that differs: its key relative to the rule, and what it was and is. Reasons count for nothing."""
    if old.decision != new.decision:
        yield "decision", f"{old.decision} → {new.decision}"
    if set(old.agents) != set(new.agents):
        yield "agents", f"{_agents(old)} → {_agents(new)}"
    for name in dict.fromkeys((*old.args, *new.args)):
        before, after = old.args.get(name), new.args.get(name)
        was = _constraints(before) or "anything" if before is not None else "not named"
        is_now = _constraints(after) or "anything" if after is not None else "not named"
        if was != is_now:
            yield f"args.{name}", f"{was} → {is_now}"
    was, is_now = ([_preceding(each) for each in rule.after] for rule in (old, new))
    if was != is_now:
        yield "after", f"{', '.join(was) or 'nothing'} → {', '.join(is_now) or 'nothing'}"
    was, is_now = ([_limit(each) for each in rule.limits] for rule in (old, new))
    if was != is_now:
        yield "limits", f"{', '.join(was) or 'none'} → {', '.join(is_now) or 'none'}"
    if old.approval != new.approval:
        yield "approval", f"{_approval(old.approval)} → {_approval(new.approval)}"


def _constraints(arg: ArgRule) -> str:
    written = arg.model_dump(by_alias=True, exclude_none=True, exclude={"optional"})
    parts = [f"{key} {_value(value)}" for key, value in written.items() if value != ()]
    return ", ".join([*parts, *(["optional"] if arg.optional else [])])


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(repr(item) for item in value) + "]"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return repr(value) if isinstance(value, str) and not value.isidentifier() else str(value)


def _agents(rule: Rule) -> str:
    return ", ".join(rule.agents) or _NOBODY[rule.decision]


def _preceding(each: Preceding) -> str:
    same = f" with the same {' and '.join(each.same)}" if each.same else ""
    return f"{'' if each.ok else 'a failed '}{each.tool}{same}"


def _limit(limit: RateLimit) -> str:
    what = f"{limit.calls} calls" if limit.calls is not None else f"{limit.le} of {limit.sum}"
    per = "in all" if limit.per == "all" else f"per {limit.per}"
    window = f" in {limit.window.total_seconds():g}s" if limit.window is not None else ""
    return f"{what} {per}{window}"


def _approval(approval: Approval) -> str:
    by = " or ".join(approval.by) or "anyone"
    shown = f", showing {', '.join(approval.show)}" if approval.show else ""
    bound = ", for the same values too" if approval.bind == "values" else ""
    return f"{by} within {approval.ttl.total_seconds():g}s{shown}{bound}"
