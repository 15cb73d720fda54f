"""Arguments as JSON data: what is well formed, what is equal, and how a value is shown without being trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

__all__ = ["equal", "malformed", "number", "shown"]

MAX_DEPTH = 32
MAX_BITS = 4096
"""Of an integer: far beyond any real one, and small enough that comparing costs nothing."""
_SHOWN = 60


def malformed(value: Any, depth: int = 0) -> str:
    """Why ``value`` is not JSON data that may be decided on, or an empty string."""
    kind: type[object] = type(value)  # pyright: ignore[reportUnknownVariableType]  it may be anything
    if kind is str:
        return "" if value.isascii() or _encodes(value) else "text that is not Unicode"
    if kind is bool or value is None:
        return ""
    if kind is int:
        return "" if value.bit_length() <= MAX_BITS else "a number of thousands of digits"
    if kind is float:
        return "" if math.isfinite(value) else "a number that is none (NaN or infinite)"
    if depth >= MAX_DEPTH:
        return "nested too deeply"
    if kind is list:
        return next((problem for item in value if (problem := malformed(item, depth + 1))), "")
    if kind is dict:
        for key, item in cast("dict[object, object]", value).items():
            if problem := malformed(item, depth + 1) or ("" if type(key) is str else "a key that is no text"):
                return problem
            if problem := malformed(key, depth + 1):
                return problem
        return ""
    return f"a {kind.__name__}, which JSON does not have"


def number(value: Any) -> Decimal | None:
    """A JSON number as the decimal that was written, or None; True and False are no numbers."""
    if type(value) is int:
        return Decimal(value) if value.bit_length() <= MAX_BITS else None
    # repr gives the shortest decimal that reads back as this float: 0.1 is compared as 0.1.
    if type(value) is float:
        return Decimal(repr(value)) if math.isfinite(value) else None
    return None


def equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; unlike in Python, true is not 1. Well-formed values only."""
    if (first := number(one)) is not None and (second := number(other)) is not None:
        return first == second
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        items, others = cast("list[Any]", one), cast("list[Any]", other)
        return len(items) == len(others) and all(map(equal, items, others))
    if isinstance(one, Mapping):
        pairs, more = cast("Mapping[str, Any]", one), cast("Mapping[str, Any]", other)
        return pairs.keys() == more.keys() and all(equal(item, more[key]) for key, item in pairs.items())
    return bool(one == other)


def shown(value: Any) -> str:
    """``value`` in a line of a report: on one line, bounded, whatever it is."""
    try:
        if isinstance(value, str):
            # Cut first: the value may be megabytes.
            text = repr(value[:_SHOWN])
            return text if len(value) <= _SHOWN else f"{text}... ({len(value)} characters)"
        if isinstance(value, list):
            return f"a list of {len(cast('list[object]', value))}"
        if isinstance(value, dict):
            return f"an object of {len(cast('dict[object, object]', value))}"
        text = repr(value)
    except Exception:  # noqa: BLE001  a report must not fail over what it reports
        return "a value that cannot be shown"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
