"""One argument's constraints, compiled to a function that names the first that fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bailiwick.gate.json_value import equal, number, shown
from bailiwick.policy import ArgRule

__all__ = ["ABSENT", "ArgumentCheck", "compile_argument", "unset"]

ABSENT = object()
"""In place of the value of an argument that was not sent."""

MAX_MATCHED = 4096
"""Characters that a regex is tried on where no ``max_length`` says another limit: ``re`` cannot be stopped."""

Session = Mapping[str, Any]
_Test = Callable[[Any, Session], bool]
_REFERENCE = "$session."


@dataclass(frozen=True, slots=True)
class ArgumentCheck:
    """Constraints in the order in which they are tried: first those that make the others meaningful."""

    rule: ArgRule
    tests: tuple[tuple[str, _Test], ...]
    unsure: frozenset[str]
    """Constraints whose failure means that the others could not be tried at all."""

    def failing(self, value: Any, session: Session) -> str:
        """The key of the first constraint that ``value`` fails, such as ``le``; an empty string when it fits."""
        if value is ABSENT:
            return "" if self.rule.optional else "absent"
        for key, test in self.tests:
            if not test(value, session):
                return key
        return ""

    def explain(self, key: str, value: Any, session: Session) -> str:
        """In words for the operator why ``value`` fails at ``key``."""
        rule = self.rule
        match key:
            case "absent":
                return "the argument is not there"
            case "type":
                return f"{shown(value)} is not of type {rule.type or 'string'}"
            case "regex":
                return f"{shown(value)} does not match {shown(rule.regex)} as a whole"
            case "enum":
                return f"{shown(value)} is none of {len(rule.enum or ())} allowed values"
            case "equals" if isinstance(rule.equals, str) and rule.equals.startswith(_REFERENCE):
                missing = unset(session.get(rule.equals.removeprefix(_REFERENCE)))
                return f"{rule.equals} is not set" if missing else f"{shown(value)} is not {rule.equals}"
            case "equals":
                return f"{shown(value)} is not {shown(rule.equals)}"
            case "max_length":
                return f"{shown(value)} is longer than {rule.max_length}"
            case "length":
                return f"{shown(value)} is too long to be matched; the rule sets no max_length"
            case _:
                return f"{shown(value)} is not {_RELATIONS.get(key, key)} {getattr(rule, key, '')}"


_RELATIONS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


def compile_argument(rule: ArgRule) -> ArgumentCheck:
    """Compile ``rule``. Raises nothing: the model has already refused what makes no sense."""
    tests: list[tuple[str, _Test]] = []
    if rule.type is not None:
        tests.append(("type", _TYPES[rule.type]))
    elif rule.regex is not None:
        tests.append(("type", _is_text))
    if (longest := rule.max_length) is not None:
        tests.append(("type", lambda value, _: isinstance(value, (str, list, dict))))
        tests.append(("max_length", lambda value, _: len(value) <= longest))
    elif rule.regex is not None:
        tests.append(("length", lambda value, _: len(value) <= MAX_MATCHED))
    if rule.regex is not None:
        matches = re.compile(rule.regex).fullmatch
        tests.append(("regex", lambda value, _: matches(value) is not None))
    if (options := rule.enum) is not None:
        tests.append(("enum", lambda value, _: any(equal(value, option) for option in options)))
    if rule.equals is not None:
        tests.append(("equals", _equals(rule.equals)))
    tests += [(key, _compare(key, bound)) for key, bound in _bounds(rule)]
    # A deny rule must not be dodged by a value that it cannot judge; but where the type is all it asks for, it judges.
    more = any(key not in ("type", "length") for key, _ in tests)
    return ArgumentCheck(rule=rule, tests=tuple(tests), unsure=frozenset({"type", "length"} if more else ()))


def _bounds(rule: ArgRule) -> list[tuple[str, Decimal]]:
    pairs = (("gt", rule.gt), ("ge", rule.ge), ("lt", rule.lt), ("le", rule.le))
    return [(key, bound) for key, bound in pairs if bound is not None]


def _compare(key: str, bound: Decimal) -> _Test:
    def holds(value: Any, _: Session) -> bool:
        found = number(value)
        if found is None:
            return False
        match key:
            case "gt":
                return found > bound
            case "ge":
                return found >= bound
            case "lt":
                return found < bound
            case _:
                return found <= bound

    return holds


def _equals(wanted: str | int | float | bool) -> _Test:
    if not (isinstance(wanted, str) and wanted.startswith(_REFERENCE)):
        return lambda value, _: equal(value, wanted)
    name = wanted.removeprefix(_REFERENCE)

    def is_session_value(value: Any, session: Session) -> bool:
        bound = session.get(name)
        return not unset(bound) and equal(value, bound)

    return is_session_value


def unset(bound: Any) -> bool:
    """Whether a value of the session is none."""
    # An application that binds an empty user id has bound nobody, and nobody equals no one.
    return bound is None or bound == ""


def _is_text(value: Any, _: Session) -> bool:
    return type(value) is str


def _is_integer(value: Any, _: Session) -> bool:
    # JSON Schema counts 5.0 as an integer, and so does the tool's side.
    return type(value) is int or (type(value) is float and value.is_integer())


_TYPES: dict[str, _Test] = {
    "string": _is_text,
    "integer": _is_integer,
    "decimal": lambda value, _: number(value) is not None,
    "boolean": lambda value, _: type(value) is bool,
    "list": lambda value, _: type(value) is list,
    "object": lambda value, _: type(value) is dict,
}
