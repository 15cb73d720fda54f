"""From a typed function to what a model sees of it, and from the model's JSON back to typed arguments."""

from __future__ import annotations

import enum
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from jsonschema import Draft202012Validator

from bailiwick.definition import describe as room
from bailiwick.definition import describe_function, file_digest
from bailiwick.definition.describe import ArgumentError, coerce_arguments
from bailiwick.errors import ToolDefinitionError


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


def everything(
    text: str,
    count: int,
    share: float,
    flag: bool,
    amount: Decimal,
    day: date,
    at: datetime,
    names: list[str],
    scores: dict[str, int],
    mode: Literal["a", "b"],
    size: Size,
    anything: Any,
    maybe: Optional[int] = None,  # noqa: UP045
    either: Union[int, str] = 5,  # noqa: UP007
    newer: int | None = None,
    told: Annotated[str, "what it is"] = "x",
    price: Decimal = Decimal("1.50"),
) -> dict[str, Any]:
    """Do everything that is
    possible.

    More about it.

    Args:
        text: Some text
            on two lines.
        count (int): How many.
        amount: Euro: with a colon.
        nobody: Not a parameter.
    """
    return {}


def test_the_description_is_the_first_paragraph() -> None:
    described = describe_function(everything)
    assert described["name"] == "everything"
    assert described["description"] == "Do everything that is possible."


def test_the_parameters_are_a_closed_json_schema() -> None:
    schema = describe_function(everything)["parameters"]
    Draft202012Validator.check_schema(schema)
    properties = schema["properties"]
    assert schema["additionalProperties"] is False
    assert "text" in schema["required"]
    assert "maybe" not in schema["required"]
    assert properties["text"] == {"type": "string", "description": "Some text on two lines."}
    assert properties["count"] == {"type": "integer", "description": "How many."}
    assert properties["amount"] == {"type": "number", "description": "Euro: with a colon."}
    assert properties["day"] == {"type": "string", "format": "date"}
    assert properties["names"] == {"type": "array", "items": {"type": "string"}}
    assert properties["scores"] == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert properties["mode"] == {"type": "string", "enum": ["a", "b"]}
    assert properties["size"] == {"type": "string", "enum": ["s", "l"]}
    assert properties["anything"] == {}
    assert properties["maybe"] == {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}
    assert properties["newer"] == {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}
    assert properties["told"] == {"type": "string", "description": "what it is", "default": "x"}
    assert properties["price"] == {"type": "number", "default": 1.5}


def no_docstring(a: str) -> str:
    return a


def no_type(a) -> str:  # type: ignore[no-untyped-def]
    """Has no type."""
    return a


def bytes_argument(a: bytes) -> str:
    """Has bytes."""
    return ""


def integer_keys(a: dict[int, str]) -> str:
    """Has integer keys."""
    return ""


def positional(a: str, /) -> str:
    """Is positional."""
    return a


def star(*a: str) -> str:
    """Has a star."""
    return ""


def stars(**a: str) -> str:
    """Has stars."""
    return ""


def unresolved(a: NoSuchType) -> str:  # type: ignore[name-defined]  # noqa: F821
    """Names nothing."""
    return ""


def runtime(runtime: str) -> str:
    """Takes a name of LangGraph's."""
    return ""


def only_arguments(a: str) -> str:
    """Args:
    a: A thing.
    """
    return a


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (no_docstring, "has no docstring"),
        (no_type, "'a' has no type"),
        (bytes_argument, "cannot be sent as JSON"),
        (integer_keys, "keys of a JSON object are strings"),
        (positional, "cannot be filled in by name"),
        (star, "cannot be filled in by name"),
        (stars, "cannot be filled in by name"),
        (unresolved, "annotations cannot be read"),
        (runtime, "LangGraph fills in"),
        (only_arguments, "has no docstring"),
    ],
)
def test_a_function_that_cannot_be_a_tool_says_why_and_where(function: Callable[..., Any], says: str) -> None:
    with pytest.raises(ToolDefinitionError, match=says) as caught:
        describe_function(function)
    assert caught.value.file == __file__
    assert caught.value.line == function.__code__.co_firstlineno
    assert caught.value.fix


GOOD: dict[str, Any] = {
    "text": "t", "count": 3, "share": 1, "flag": True, "amount": "12.50", "day": "2026-01-31",
    "at": "2026-01-31T10:00:00+01:00", "names": ["a"], "scores": {"a": 1}, "mode": "a", "size": "l", "anything": [1],
}  # fmt: skip


def test_json_becomes_what_the_annotations_say() -> None:
    typed = coerce_arguments(everything, {**GOOD, "maybe": None, "either": "x"})
    assert typed["amount"] == Decimal("12.50")
    assert typed["day"] == date(2026, 1, 31)
    assert typed["at"].utcoffset() is not None
    assert typed["size"] is Size.LARGE
    assert type(typed["share"]) is float
    assert typed["either"] == "x"
    assert "price" not in typed


@pytest.mark.parametrize("value", [0.1, 1e-7, 19.99, 100])
def test_a_decimal_is_the_number_that_was_written(value: float) -> None:
    typed = coerce_arguments(everything, {**GOOD, "amount": value})
    assert typed["amount"] == Decimal(str(value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 5), ("text", None), ("count", "5"), ("count", True), ("count", 5.5), ("share", "1"), ("share", True),
        ("flag", 1), ("flag", "true"), ("amount", True), ("amount", "x"), ("amount", "NaN"), ("amount", float("inf")),
        ("amount", None), ("day", "31.1.2026"), ("day", 5), ("at", "soon"), ("names", "abc"), ("names", [1]),
        ("scores", {"a": "1"}), ("scores", []), ("mode", "c"), ("mode", None), ("size", "SMALL"), ("maybe", "5"),
        ("either", 1.5), ("either", True), ("told", 5),
    ],
)  # fmt: skip
def test_nothing_is_guessed(name: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=f"'{name}'"):
        coerce_arguments(everything, {**GOOD, name: value})


def test_whole_numbers_are_integers_however_they_are_written() -> None:
    assert coerce_arguments(everything, {**GOOD, "count": 5.0})["count"] == 5


def test_an_argument_too_many_or_too_few() -> None:
    with pytest.raises(ArgumentError, match="has no argument 'extra'"):
        coerce_arguments(everything, {**GOOD, "extra": 1})
    with pytest.raises(ArgumentError, match="'text' is missing"):
        coerce_arguments(everything, {name: value for name, value in GOOD.items() if name != "text"})


def test_what_the_schema_lets_through_is_what_coercion_takes() -> None:
    validator = Draft202012Validator(describe_function(everything)["parameters"])
    good = {**GOOD, "amount": 12.5}
    assert validator.is_valid(good)
    coerce_arguments(everything, good)
    assert not validator.is_valid({**good, "count": "5"})


def test_it_runs_on_a_bare_interpreter_since_it_is_copied_into_every_sandbox() -> None:
    code = f"import runpy; names = runpy.run_path({room.__file__!r}); print(sorted(names['__all__']))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert "describe_function" in done.stdout


def test_a_digest_follows_the_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x")
    first = file_digest(file)
    file.write_text("y")
    assert first.startswith("sha256:")
    assert file_digest(file) != first
