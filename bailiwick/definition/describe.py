"""From a typed Python function to what a model sees of it, and from the model's JSON back to typed arguments.

This file is also copied into every sandbox, where it runs on a bare interpreter: standard library only, and no import
of anything else of ours. pydantic would do the schema, but a sandbox without any distribution has to do it too.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

__all__ = ["ArgumentError", "DescribeError", "coerce_arguments", "describe_function"]

Schema = dict[str, Any]

_PLAIN: dict[object, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    decimal.Decimal: {"type": "number"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    Any: {},
    object: {},
    dict: {"type": "object"},
    list: {"type": "array"},
}
_TAKEN = ("runtime", "config", "run_manager")
_SUPPORTED = (
    "str, int, float, bool, Decimal, date, datetime, list[T], dict[str, T], Literal, Enum, Optional, Union and "
    "Annotated[T, 'what it is']"
)


class DescribeError(Exception):
    """Raised when a function cannot be a tool; says why, on which line, and what to write instead."""

    def __init__(self, message: str, *, line: int | None = None, fix: str = "") -> None:
        self.message = message
        self.line = line
        self.fix = fix
        super().__init__(message)


class ArgumentError(Exception):
    """Raised when an argument is not what the function's annotation says."""


def describe_function(function: Callable[..., Any]) -> dict[str, Any]:
    """``{name, description, parameters}`` with ``parameters`` as JSON Schema, closed against unknown keys.

    The description is the docstring's first paragraph; a Google-style ``Args:`` section describes the parameters.
    Raises DescribeError for a missing docstring, a missing annotation, or a type that JSON cannot carry.
    """
    line = _line(function)
    summary, told = _docstring(function)
    if not summary:
        raise DescribeError(
            f"{function.__name__} has no docstring, so no model can know what it is for",
            line=line,
            fix='write """What it does, in one sentence.""" under its def line',
        )
    hints = _hints(function)
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for parameter in _parameters(function):
        if parameter.name in _TAKEN:
            raise DescribeError(
                f"{function.__name__}: LangGraph fills in a parameter called {parameter.name!r} itself",
                line=line,
                fix="give it another name",
            )
        if parameter.name not in hints:
            raise DescribeError(
                f"{function.__name__}: the parameter {parameter.name!r} has no type",
                line=line,
                fix=f"annotate it, for example {parameter.name}: str",
            )
        try:
            schema = _schema(hints[parameter.name])
        except TypeError as error:
            raise DescribeError(
                f"{function.__name__}: the type of {parameter.name!r} cannot be sent as JSON: {error}",
                line=line,
                fix=f"use {_SUPPORTED}",
            ) from None
        if parameter.name in told:
            schema.setdefault("description", told[parameter.name])
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
        else:
            schema["default"] = _default(parameter.default)
        properties[parameter.name] = schema
    parameters: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        parameters["required"] = required
    return {"name": function.__name__, "description": summary, "parameters": parameters}


def coerce_arguments(function: Callable[..., Any], args: Mapping[str, Any]) -> dict[str, Any]:
    """JSON arguments as the types that ``function`` is annotated with; absent ones are left to their defaults.

    Raises ArgumentError for an unknown, missing or wrongly typed argument. Nothing is guessed: ``"5"`` is no integer.
    """
    hints = _hints(function)
    known = {parameter.name: parameter for parameter in _parameters(function)}
    if unknown := sorted(set(args) - set(known)):
        raise ArgumentError(f"{function.__name__} has no argument {unknown[0]!r}")
    for name, parameter in known.items():
        if name not in args and parameter.default is inspect.Parameter.empty:
            raise ArgumentError(f"the argument {name!r} is missing")
    typed: dict[str, Any] = {}
    for name, value in args.items():
        try:
            typed[name] = _coerce(value, hints.get(name, Any))
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ArgumentError(f"the argument {name!r} {error}") from None
    return typed


def _line(function: Callable[..., Any]) -> int | None:
    code = getattr(function, "__code__", None)
    return code.co_firstlineno if isinstance(code, types.CodeType) else None


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # noqa: BLE001  an annotation is the tool's own code and may raise anything
        raise DescribeError(
            f"{function.__name__}: its annotations cannot be read: {error}",
            line=_line(function),
            fix="import the names used in annotations at the top of the file, outside TYPE_CHECKING",
        ) from None


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    found = list(inspect.signature(function).parameters.values())
    for parameter in found:
        if parameter.kind not in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
            raise DescribeError(
                f"{function.__name__}: {parameter} cannot be filled in by name",
                line=_line(function),
                fix="name every parameter: no *args, **kwargs or positional-only parameters",
            )
    return found


def _docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """The first paragraph on one line, and the text of each entry under ``Args:``."""
    text = inspect.getdoc(function) or ""
    summary = " ".join(text.split("\n\n", 1)[0].split())
    section = re.search(r"^(?:Args|Arguments|Parameters):[ \t]*\n((?:[ \t]+.*\n?|\n)+)", text, re.MULTILINE)
    told: dict[str, str] = {}
    if summary.startswith(("Args:", "Arguments:", "Parameters:")):
        summary = ""
    if section is not None:
        lines = inspect.cleandoc("\n" + section[1]).splitlines()
        name = ""
        for line in lines:
            if entry := re.match(r"\*{0,2}(\w+)(?:\s*\([^)]*\))?\s*:\s*(.*)", line):
                name = entry[1]
                told[name] = entry[2].strip()
            elif name and line[:1].isspace():
                told[name] = f"{told[name]} {line.strip()}".strip()
    return summary, told


def _schema(hint: object) -> Schema:
    """JSON Schema of one annotation; raises TypeError naming a type that JSON cannot carry."""
    try:
        if (plain := _PLAIN.get(hint)) is not None:
            return dict(plain)
    except TypeError:  # an unhashable hint, such as Annotated with a list
        pass
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        schema = _schema(args[0])
        if text := next((extra for extra in args[1:] if isinstance(extra, str)), ""):
            schema["description"] = text
        return schema
    if origin is typing.Literal:
        return _enumeration(list(args))
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(arg) for arg in args]}
    if origin in (list, Sequence):
        return {"type": "array", "items": _schema(args[0])}
    if origin in (dict, Mapping):
        if args[0] is not str:
            raise TypeError("the keys of a JSON object are strings")
        values = _schema(args[1])
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _enumeration([member.value for member in hint])
    raise TypeError(f"{hint!r}")


def _enumeration(values: list[Any]) -> Schema:
    names = {str: "string", bool: "boolean", int: "integer"}
    if any(type(value) not in names for value in values if value is not None):
        raise TypeError("the values of a Literal or Enum must be strings, integers or booleans")
    kinds: set[type[Any]] = {type(value) for value in values}
    schema: Schema = {"enum": values}
    if len(kinds) == 1 and (kind := kinds.pop()) in names:
        schema["type"] = names[kind]
    return schema


def _default(value: object) -> object:
    """A default as JSON shows it; the function itself keeps the real one."""
    match value:
        case enum.Enum():
            return cast("object", value.value)
        case decimal.Decimal():
            return float(value)
        case datetime.date():
            return value.isoformat()
        case None | str() | int() | float() | list() | dict():
            return cast("object", value)
        case _:
            return str(value)


def _coerce(value: Any, hint: Any) -> Any:
    """``value`` as ``hint``. Raises TypeError or ValueError, worded to follow the argument's name."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _coerce(value, args[0])
    if hint is Any or hint is object:
        return value
    if origin is typing.Literal:
        if any(value == option and type(value) is type(option) for option in args):
            return value
        raise ValueError(f"must be one of {', '.join(map(repr, args))}, not {value!r}")
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(value, args)
    if origin in (list, Sequence) or hint is list:
        items = _must(value, list)
        return [_coerce(item, args[0]) for item in items] if args else items
    if origin in (dict, Mapping) or hint is dict:
        pairs = _must(value, dict)
        return {key: _coerce(item, args[1]) for key, item in pairs.items()} if args else pairs
    if hint is None or hint is type(None):
        if value is None:
            return None
        raise TypeError("must be null")
    if isinstance(hint, type):
        return _coerce_to_class(value, hint)
    return value


def _first_that_fits(value: Any, options: Sequence[Any]) -> Any:
    # A value that already has one of the types stays what it is; only then are strings turned into dates and so on.
    for option in options:
        if isinstance(option, type) and type(value) is option:
            return value
    for option in options:
        try:
            return _coerce(value, option)
        except (TypeError, ValueError, ArithmeticError):
            continue
    raise TypeError(f"fits none of {', '.join(str(getattr(option, '__name__', option)) for option in options)}")


def _coerce_to_class(value: Any, hint: type[Any]) -> Any:
    if issubclass(hint, enum.Enum):
        try:
            return hint(value)
        except ValueError:
            allowed = ", ".join(repr(member.value) for member in hint)
            raise ValueError(f"must be one of {allowed}, not {value!r}") from None
    if hint is decimal.Decimal:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise TypeError(f"must be a number, not {type(value).__name__}")
        try:
            number = decimal.Decimal(str(value))
        except decimal.InvalidOperation:
            raise ValueError(f"is not a decimal number: {value!r}") from None
        if not number.is_finite():
            raise ValueError("must be a finite number")
        return number
    if hint is datetime.datetime:
        return datetime.datetime.fromisoformat(_must(value, str))
    if hint is datetime.date:
        return datetime.date.fromisoformat(_must(value, str))
    if hint is float and type(value) is int:
        return float(value)
    if hint is int and type(value) is float and value.is_integer():  # JSON Schema counts 5.0 as an integer
        return int(value)
    return _must(value, hint)


def _must(value: Any, kind: type[Any]) -> Any:
    if type(value) is not kind:
        raise TypeError(f"must be {kind.__name__}, not {type(value).__name__}")
    return value
