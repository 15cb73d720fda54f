"""What one argument was in the calls that were seen: the constraints that hold for all of them, each with its calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, cast

from bailiwick.gate.json_value import equal, number
from bailiwick.replay.origin_seen import origin_of
from bailiwick.replay.seen import Seen
from bailiwick.replay.shapes import identifiers, shape

__all__ = ["Argument", "Constraint", "argument"]

_FEW, _MANY, _SHORT = 5, 10, 40
"""At most so many values in at least so many calls, each at most so long: those are all that there are."""
_LISTED, _LINE = 20, 200
_EXACT = Decimal(10) ** 15


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A key of a rule with its value, and the calls that it comes from."""

    key: str
    value: Any
    seen: Sequence[Seen]


@dataclass(frozen=True, kw_only=True)
class Argument:
    """``constraints`` empty: nothing held for all calls. ``remarks``: what could not be said of it, and why."""

    name: str
    constraints: tuple[Constraint, ...]
    remarks: tuple[str, ...] = field(default=())


def argument(
    name: str, seen: Sequence[Seen], *, tools: Mapping[str, Any], origins: bool, exact: bool = False
) -> Argument:
    """The least that takes what ``name`` was in each of ``seen``.

    ``tools`` have a policy, so that a value may come from them. ``origins``: whether it is to say where values come
    from. ``exact``: these very values, where they are few and short.
    """
    having = [each for each in seen if name in each.call.args]
    values = [each.call.args[name] for each in having]
    made = list(_constraints(name, having, values, exact=exact))
    remarks: list[str] = []
    if not made:
        remarks.append("the values have no type in common")
    keys = {constraint.key for constraint in made}
    if origins and not any(type(value) is bool for value in values) and "equals" not in keys:
        labels, remark = origin_of(name, having, tools)
        if labels:
            made.append(Constraint(key="from", value=list(labels), seen=having))
        elif remark:
            remarks.append(remark)
    if len(having) < len(seen):
        without = [each for each in seen if name not in each.call.args]
        made.append(Constraint(key="optional", value=True, seen=without))
    return Argument(name=name, constraints=tuple(made), remarks=tuple(remarks))


def _constraints(name: str, seen: Sequence[Seen], values: Sequence[Any], *, exact: bool) -> Iterator[Constraint]:
    kind = _type(values)
    if kind is None:
        return
    yield Constraint(key="type", value=kind, seen=seen)
    if all(_is_the_users(each, name) for each in seen):
        yield Constraint(key="equals", value="$session.user_id", seen=seen)
        return
    distinct = _distinct(values)
    match kind:
        case "boolean" if len(distinct) == 1:
            yield Constraint(key="equals", value=distinct[0], seen=seen)
        case "string" | "integer" | "decimal" if exact and _listable(distinct):
            yield Constraint(key="enum", value=distinct, seen=seen)
        case "string":
            yield _of_texts(seen, values)
        case "integer" | "decimal":
            yield from _of_numbers(seen, values, whole=kind == "integer")
        case "list" | "object":
            yield _no_longer(seen, values)
        case _:
            pass


def _listable(values: Sequence[Any]) -> bool:
    return len(values) <= _LISTED and all(len(str(value)) <= _LINE for value in values)


def _of_texts(seen: Sequence[Seen], values: Sequence[str]) -> Constraint:
    distinct = _distinct(values)
    few = len(distinct) <= _FEW and len(values) >= _MANY and all(len(value) <= _SHORT for value in distinct)
    if few and not identifiers(values):
        return Constraint(key="enum", value=distinct, seen=seen)
    if (regex := shape(values)) is not None:
        return Constraint(key="regex", value=regex, seen=seen)
    return _no_longer(seen, values)


def _no_longer(seen: Sequence[Seen], values: Sequence[Any]) -> Constraint:
    longest = max(map(len, values))
    those = [each for each, value in zip(seen, values, strict=True) if len(value) == longest]
    return Constraint(key="max_length", value=_round_length(longest), seen=those)


def _of_numbers(seen: Sequence[Seen], values: Sequence[Any], *, whole: bool) -> Iterator[Constraint]:
    numbers = [cast("Decimal", number(value)) for value in values]
    for key, bound, up in (("ge", min(numbers), False), ("le", max(numbers), True)):
        those = [each for each, value in zip(seen, numbers, strict=True) if value == bound]
        alone = min(numbers) == max(numbers)
        yield Constraint(key=key, value=bound if alone else outwards(bound, up=up, whole=whole), seen=those)


def outwards(value: Decimal, *, up: bool, whole: bool) -> Decimal:
    """``value`` rounded away from the others to two figures: 49.9 becomes 50, and 123 becomes 130 or 120."""
    if not value or abs(value) > _EXACT:
        return value
    step = Decimal(1).scaleb(value.adjusted() - 1)
    if whole and step < 1:
        step = Decimal(1)
    return (value / step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR) * step


def _round_length(longest: int) -> int:
    step = 10
    while longest > step * 10:
        step *= 10
    return -(-longest // step) * step or step


def _type(values: Sequence[Any]) -> str | None:
    if all(number(value) is not None for value in values):
        return "integer" if all(type(value) is int for value in values) else "decimal"
    names: tuple[tuple[type, str], ...] = ((str, "string"), (bool, "boolean"), (list, "list"), (dict, "object"))
    return next((name for kind, name in names if all(type(value) is kind for value in values)), None)


def _is_the_users(seen: Seen, name: str) -> bool:
    user = seen.call.session.get("user_id")
    return user is not None and user != "" and equal(seen.call.args[name], user)


def _distinct(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(equal(value, known) for known in found):
            found.append(value)
    return found
