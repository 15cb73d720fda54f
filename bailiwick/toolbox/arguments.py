"""Whether a call's arguments fit the tool's JSON Schema, said so that a model can mend them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match  # pyright: ignore[reportUnknownVariableType]  its annotations leave it open

__all__ = ["schema_problem"]

_LONGEST = 300
"""Characters of a message: it quotes the value, which may be of any length."""


def schema_problem(parameters: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    """What is most wrong with ``args``, or an empty string."""
    validator = Draft202012Validator(dict(parameters))
    errors = validator.iter_errors(dict(args))  # pyright: ignore[reportUnknownMemberType]
    first = cast("ValidationError | None", best_match(errors))
    if first is None:
        return ""
    place = ".".join(str(part) for part in cast("list[object]", list(first.path)))
    message = str(cast("object", first.message))
    text = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."
    return f"{place}: {text}" if place else text
