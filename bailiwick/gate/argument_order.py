"""Whether one argument's constraints take no more than another's, or nothing in common: proven, or not said.

Both answers are used to say that a change of a policy opens nothing, so False only means that it could not be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from bailiwick.gate.argument_check import MAX_MATCHED, compile_argument
from bailiwick.policy import ArgRule

__all__ = ["Interval", "apart", "deny_within", "impossible", "interval", "values_of", "within"]

_SESSION = "$session."
_NUMBERS = frozenset({"integer", "fraction"})
_SIZED = frozenset({"string", "list", "object"})
_KINDS = _NUMBERS | _SIZED | {"boolean", "null"}
_OF_TYPE: dict[str, frozenset[str]] = {
    "string": frozenset({"string"}),
    "integer": frozenset({"integer"}),
    "decimal": _NUMBERS,
    "boolean": frozenset({"boolean"}),
    "list": frozenset({"list"}),
    "object": frozenset({"object"}),
}
_EXACT = Decimal(10) ** 18
"""Up to here one more or less is exact in ``Decimal``, whatever its precision is set to."""


def within(inner: ArgRule, outer: ArgRule) -> bool:
    """Whether ``outer`` provably takes whatever ``inner`` takes, its absence included."""
    if inner.optional and not outer.optional:
        return False
    if not _origins_within(inner, outer):
        return False
    if _written(inner) == _written(outer):
        return True
    same_session = _session(inner) is not None and _session(inner) == _session(outer)
    if (values := values_of(inner)) is not None:
        check = compile_argument(_without_equals(outer) if same_session else outer)
        return not any(check.failing(value, {}) for value in values)
    kinds = _kinds(inner)
    return (
        kinds <= _kinds(outer)
        and outer.enum is None
        and (outer.equals is None or same_session)
        and (outer.regex is None or outer.regex == inner.regex)
        and _short_enough(inner, outer)
        and interval(inner).inside(_as_written(outer))
    )


def apart(one: ArgRule, other: ArgRule, *, denies: bool = False) -> bool:
    """Whether provably no value fits both. ``denies``: ``other`` is of a deny rule, and takes what it cannot try."""
    if one.optional and other.optional:
        return False
    unsure = compile_argument(other).unsure if denies else frozenset[str]()
    if _all_fail(values_of(one), other, unsure):
        return True
    if not denies and _all_fail(values_of(other), one, unsure):
        return True
    if not _kinds(one) & _kinds(other):
        return not unsure
    judged = not unsure or _kinds(one) <= _kinds(other)
    return judged and _bounded(one) and _bounded(other) and interval(one).apart(interval(other))


def deny_within(inner: ArgRule, outer: ArgRule) -> bool:
    """``within`` for arguments of two deny rules, which also apply to values that they could not try."""
    if inner.optional and not outer.optional:
        return False
    if not _origins_within(inner, outer):
        return False
    if _written(inner) == _written(outer):
        return True
    mine, others = compile_argument(inner), compile_argument(outer)
    if not others.tests:
        return True  # where the value comes from was compared above
    alike = all(
        _written(inner)[key] == _written(outer)[key] for key in ("type", "regex", "max_length", "equals")
    )  # what is not tried is then the same for both
    if not alike or mine.unsure != others.unsure:
        return False
    if outer.enum is not None:
        as_outer = compile_argument(ArgRule(enum=outer.enum))
        if inner.enum is None or any(as_outer.failing(value, {}) for value in inner.enum):
            return False
    return _as_written(inner).inside(_as_written(outer))


def values_of(arg: ArgRule) -> list[Any] | None:
    """The only values that ``arg`` may take, where they can be listed. A session's value cannot, and is not tested."""
    if arg.enum is not None:
        listed = list(arg.enum)
    elif arg.equals is not None and _session(arg) is None:
        listed = [arg.equals]
    else:
        return None
    check = compile_argument(_without_equals(arg) if _session(arg) is not None else arg)
    return [value for value in listed if not check.failing(value, {})]


def impossible(arg: ArgRule) -> bool:
    """Whether provably no value fits ``arg``; its absence may."""
    return values_of(arg) == [] or not _kinds(arg) or interval(arg).empty


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Numbers from ``low`` to ``high``; None: without end. ``open_…``: the end itself is not in it."""

    low: Decimal | None = None
    open_low: bool = False
    high: Decimal | None = None
    open_high: bool = False

    def inside(self, other: Interval) -> bool:
        low = other.low is None or (
            self.low is not None
            and (self.low > other.low or (self.low == other.low and (self.open_low or not other.open_low)))
        )
        high = other.high is None or (
            self.high is not None
            and (self.high < other.high or (self.high == other.high and (self.open_high or not other.open_high)))
        )
        return (low and high) or self.empty

    def apart(self, other: Interval) -> bool:
        return self.empty or other.empty or self._below(other) or other._below(self)

    def _below(self, other: Interval) -> bool:
        if self.high is None or other.low is None:
            return False
        return self.high < other.low or (self.high == other.low and (self.open_high or other.open_low))

    @property
    def empty(self) -> bool:
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.open_low or self.open_high))


def interval(arg: ArgRule) -> Interval:
    """The numbers that the bounds of ``arg`` leave, with whole ends where only whole numbers are taken."""
    found = _as_written(arg)
    low, open_low, high, open_high = found.low, found.open_low, found.high, found.open_high
    if arg.type == "integer":
        if low is not None and abs(low) < _EXACT:
            whole = low.to_integral_value(ROUND_CEILING)
            low, open_low = whole + 1 if open_low and whole == low else whole, False
        if high is not None and abs(high) < _EXACT:
            whole = high.to_integral_value(ROUND_FLOOR)
            high, open_high = whole - 1 if open_high and whole == high else whole, False
    return Interval(low=low, open_low=open_low, high=high, open_high=open_high)


def _as_written(arg: ArgRule) -> Interval:
    low = max(
        ((bound, strict) for bound, strict in ((arg.gt, True), (arg.ge, False)) if bound is not None), default=None
    )
    high = min(
        ((bound, not strict) for bound, strict in ((arg.lt, True), (arg.le, False)) if bound is not None), default=None
    )
    return Interval(
        low=low[0] if low else None,
        open_low=bool(low and low[1]),
        high=high[0] if high else None,
        open_high=bool(high and not high[1]),
    )


def _all_fail(values: list[Any] | None, other: ArgRule, unsure: frozenset[str]) -> bool:
    if values is None:
        return False
    # What the session holds is not known here: its test may come out either way.
    check = compile_argument(_without_equals(other) if _session(other) is not None else other)
    failed = [check.failing(value, {}) for value in values]
    return all(key and key not in unsure for key in failed)


def _kinds(arg: ArgRule) -> frozenset[str]:
    kinds = _KINDS if arg.type is None else _OF_TYPE[arg.type]
    if arg.regex is not None:
        kinds &= {"string"}
    if arg.max_length is not None:
        kinds &= _SIZED
    return kinds & _NUMBERS if _bounded(arg) else kinds


def _bounded(arg: ArgRule) -> bool:
    return any(bound is not None for bound in (arg.gt, arg.ge, arg.lt, arg.le))


def _origins_within(inner: ArgRule, outer: ArgRule) -> bool:
    """Whether ``outer`` takes a value from wherever ``inner`` takes one."""
    for mine, others in ((inner.accepted, outer.accepted), (inner.accepted_links, outer.accepted_links)):
        if others is not None and (mine is None or not mine <= others):
            return False
    return set(outer.without) <= set(inner.without)


def _short_enough(inner: ArgRule, outer: ArgRule) -> bool:
    """Whether no text, list or object that ``inner`` takes is too long for ``outer``."""
    most = outer.max_length if outer.max_length is not None else MAX_MATCHED if outer.regex is not None else None
    if most is None or not _kinds(inner) & _SIZED:
        return True
    longest = inner.max_length if inner.max_length is not None else MAX_MATCHED if inner.regex is not None else None
    return longest is not None and longest <= most


def _session(arg: ArgRule) -> str | None:
    return arg.equals if isinstance(arg.equals, str) and arg.equals.startswith(_SESSION) else None


def _without_equals(arg: ArgRule) -> ArgRule:
    return arg.model_copy(update={"equals": None})


def _written(arg: ArgRule) -> dict[str, Any]:
    # Through text: in Python 1 and true are equal, and in a policy they are not.
    # Origins are no part of it: they are compared as sets.
    written = arg.model_dump(exclude={"optional", "origins", "links", "without"})
    return {key: repr(value) for key, value in written.items()}
