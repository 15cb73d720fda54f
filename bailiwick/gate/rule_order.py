"""Whether one rule matches no more calls than another, or none in common: proven, or not said."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from decimal import Decimal

from bailiwick.gate.argument_order import Interval, apart, deny_within, interval, values_of, within
from bailiwick.gate.compiled import agents_of
from bailiwick.policy import ArgRule, Preceding, RateLimit, Rule

__all__ = ["pieces", "rule_within", "rules_apart", "wherever_from"]

_MANY = 256


def rule_within(inner: Rule, outer: Rule) -> bool:
    """Whether ``outer`` provably matches every call that ``inner`` matches. Reasons and approvals play no part.

    A deny rule is within deny rules only: it also matches calls that it could not try.
    """
    denies = outer.decision == "deny"
    if inner.decision == "deny" and not denies:
        return False
    if not _agents_within(inner, outer):
        return False
    if agents_of(inner) == frozenset():
        return True
    if not denies and not set(inner.args) <= set(outer.args):
        return False
    for name, arg in outer.args.items():
        if denies and inner.decision != "deny" and arg.accepted is not None:
            return False  # empty text comes from nowhere: to be accepted is not to be found
        own = inner.args.get(name)
        if own is not None:
            held = deny_within(own, arg) if inner.decision == "deny" else within(own, arg)
        elif inner.decision == "deny":
            # It says nothing of this argument, so any value may come with it.
            held = deny_within(ArgRule(optional=True), arg)
        else:
            held = arg.optional
        if not held:
            return False
    if not all(any(_demands(own, wanted) for own in inner.after) for wanted in outer.after):
        return False
    # Each rule counts the calls that it let through itself, so only the same rule's limits can be compared.
    same = inner.id == outer.id
    return all(same and any(_keeps(own, wanted) for own in inner.limits) for wanted in outer.limits)


def wherever_from(rule: Rule) -> Rule:
    """``rule`` as if it took values from anywhere: what it asks about when it does not allow it."""
    args = {
        name: arg.model_copy(update={"origins": None, "links": None, "without": ()}) for name, arg in rule.args.items()
    }
    return rule.model_copy(update={"args": args})


def rules_apart(one: Rule, other: Rule) -> bool:
    """Whether provably no call matches both. ``one`` allows or asks; ``other`` may be any rule."""
    denies = other.decision == "deny"
    mine, others = agents_of(one), agents_of(other)
    if mine == frozenset() or others == frozenset():
        return True
    if mine is not None and others is not None and not mine & others:
        return True
    if any(not arg.optional and name not in one.args for name, arg in other.args.items()):
        return True
    if not denies and any(not arg.optional and name not in other.args for name, arg in one.args.items()):
        return True
    return any(apart(arg, other.args[name], denies=denies) for name, arg in one.args.items() if name in other.args)


def pieces(rule: Rule, others: Iterable[Rule]) -> list[Rule]:
    """``rule`` cut where ``others`` begin and end, so that a piece may fit into one of them where the whole does not.

    The pieces together match what an allow or ask rule matches. A rule that would fall into too many stays whole.
    """
    others = list(others)
    agents = agents_of(rule)
    by_agent = [("any",)] if agents is None else [(agent,) for agent in sorted(agents)]
    choices = [_cut(arg, [each.args[name] for each in others if name in each.args]) for name, arg in rule.args.items()]
    count = len(by_agent)
    for each in choices:
        count *= len(each)
    if count > _MANY:
        return [rule]
    return list(_pieces(rule, by_agent, choices))


def _pieces(rule: Rule, by_agent: list[tuple[str, ...]], choices: list[list[ArgRule | None]]) -> Iterator[Rule]:
    for agents, *chosen in itertools.product(by_agent, *choices):
        args = {name: arg for name, arg in zip(rule.args, chosen, strict=True) if arg is not None}
        yield rule.model_copy(update={"agents": agents, "args": args})


def _cut(arg: ArgRule, others: list[ArgRule]) -> list[ArgRule | None]:
    """``arg`` in parts, of which None is its absence."""
    absent: list[ArgRule | None] = [None] if arg.optional else []
    present = arg.model_copy(update={"optional": False})
    if (values := values_of(present)) is not None:
        return absent + [present.model_copy(update={"enum": (value,)}) for value in values]
    if present.type not in ("integer", "decimal"):
        return [*absent, present]
    # A cut is after a number (le 50 | gt 50) or before it (lt 50 | ge 50).
    cuts = sorted(
        {(bound, True) for each in others for bound in (each.gt, each.le) if bound is not None}
        | {(bound, False) for each in others for bound in (each.ge, each.lt) if bound is not None}
    )
    ends: list[tuple[Decimal, bool] | None] = [None, *cuts, None]
    parts = [_between(present, low, high) for low, high in itertools.pairwise(ends)]
    return absent + [part for part in parts if not interval(part).empty]


def _between(arg: ArgRule, low: tuple[Decimal, bool] | None, high: tuple[Decimal, bool] | None) -> ArgRule:
    found = interval(arg)
    if low is not None:
        cut = Interval(low=low[0], open_low=low[1])
        if not found.inside(cut):
            found = Interval(low=cut.low, open_low=cut.open_low, high=found.high, open_high=found.open_high)
    if high is not None:
        cut = Interval(high=high[0], open_high=not high[1])
        if not found.inside(cut):
            found = Interval(low=found.low, open_low=found.open_low, high=cut.high, open_high=cut.open_high)
    return arg.model_copy(
        update={
            "gt": found.low if found.open_low else None,
            "ge": None if found.open_low else found.low,
            "lt": found.high if found.open_high else None,
            "le": None if found.open_high else found.high,
        }
    )


def _agents_within(inner: Rule, outer: Rule) -> bool:
    mine, others = agents_of(inner), agents_of(outer)
    return others is None or (mine is not None and mine <= others)


def _demands(own: Preceding, wanted: Preceding) -> bool:
    return own.tool == wanted.tool and own.ok is wanted.ok and set(wanted.same) <= set(own.same)


def _keeps(own: RateLimit, wanted: RateLimit) -> bool:
    """Whether who stays within ``own`` stays within ``wanted``."""
    if own.per != wanted.per or own.sum != wanted.sum:
        return False
    if own.window is not None and (wanted.window is None or own.window < wanted.window):
        return False
    if own.calls is not None and wanted.calls is not None:
        return own.calls <= wanted.calls
    return own.le is not None and wanted.le is not None and own.le <= wanted.le
