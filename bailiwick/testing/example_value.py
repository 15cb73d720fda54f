"""A value that a JSON Schema takes: the same one every time, and the least there is of it.

Written here because hypothesis-jsonschema and its kind make values at random, to be shrunk by a test runner; a smoke
test wants one call that a reader can foresee. It knows what pydantic and tool descriptions write; a schema that says
more (``not``, ``if``, ``patternProperties``) may refuse what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from bailiwick.gate import matching_texts

__all__ = ["example_value"]

_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "binary": "",
    "decimal": "1",
}
_DEEP = 8


def example_value(schema: Mapping[str, Any] | bool) -> Any:
    """A value for ``schema``, optional properties included while they are not nested too deep."""
    return _value(schema, schema if isinstance(schema, Mapping) else {}, 0)


def _value(given: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(given, Mapping):
        return "text"
    schema = _resolved(cast("Mapping[str, Any]", given), root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf"):
        if choices := schema.get(key):
            rest = {name: value for name, value in schema.items() if name != key}
            return _value({**rest, **_simplest(choices, root, depth)}, root, depth)
    kinds: Any = schema.get("type", "object" if "properties" in schema else "string")
    kind: str = cast("list[str]", kinds)[0] if isinstance(kinds, list) else str(kinds)
    match kind:
        case "object":
            return _object(schema, root, depth)
        case "array":
            return _array(schema, root, depth)
        case "integer":
            return _number(schema, step=schema.get("multipleOf", 1), whole=True)
        case "number":
            return _number(schema, step=schema.get("multipleOf", 0), whole=False)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """``$ref`` followed and ``allOf`` put together."""
    found: dict[str, Any] = dict(schema)
    while "$ref" in found:
        target: Mapping[str, Any] = root
        for part in str(found.pop("$ref")).removeprefix("#/").split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~"), {})
        found = {**target, **found}
    parts: list[Mapping[str, Any]] = found.pop("allOf", [])
    for each in parts:
        found = {**found, **_resolved(each, root)}
    return found


def _simplest(choices: Sequence[Mapping[str, Any]], root: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
    """The first that is not null, so that something is said; null where it would go on for ever."""
    resolved = [_resolved(choice, root) for choice in choices]
    nulls = [each for each in resolved if each.get("type") == "null"]
    others = [each for each in resolved if each.get("type") != "null"]
    wanted = nulls or others if depth > _DEEP else others or nulls
    return wanted[0] if wanted else {}


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    required = schema.get("required", [])
    properties: Mapping[str, Any] = schema.get("properties", {})
    wanted = [name for name in properties if name in required or depth < _DEEP]
    made = {name: _value(properties[name], root, depth + 1) for name in wanted}
    more = schema.get("additionalProperties")
    names = (f"key{number}" for number in range(schema.get("minProperties", 0) - len(made)))
    return made | {name: _value(more, root, depth + 1) for name in (*[r for r in required if r not in made], *names)}


def _array(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> list[Any]:
    first = [_value(each, root, depth + 1) for each in schema.get("prefixItems", [])]
    least = max(schema.get("minItems", 0), 1 if depth < _DEEP and schema.get("maxItems", 1) else 0)
    while len(first) < least:
        item = _value(schema.get("items", {}), root, depth + 1)
        if schema.get("uniqueItems") and item in first:
            item = item + len(first) if isinstance(item, int) else f"{item}{len(first)}"
        first.append(item)
    return first


def _number(schema: Mapping[str, Any], *, step: float, whole: bool) -> int | float:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    gap = step or 1
    if above is not None and (least is None or above >= least):
        least = above + gap if below is None and most is None else above + min(gap, _room(above, below, most) / 2)
    if below is not None and (most is None or below <= most):
        most = below - gap if least is None else below - min(gap, (below - least) / 2)
    value: float = least if least is not None else min(1, most) if most is not None else 1
    if step:
        value = math.ceil(value / step) * step if least is not None else math.floor(value / step) * step
    return math.ceil(value) if whole else value


def _room(above: float, below: float | None, most: float | None) -> float:
    ends = [end for end in (below, most) if end is not None]
    return min(ends) - above


def _text(schema: Mapping[str, Any]) -> str:
    if pattern := schema.get("pattern"):
        long = range(schema.get("minLength", 0), schema.get("maxLength", 10_000) + 1)
        bounded = [text for text in matching_texts(f"(?:{pattern})") if len(text) in long]
        return next(iter(bounded), "")
    text = _FORMATS.get(str(schema.get("format")), "text")
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema["maxLength"]] if "maxLength" in schema else text
