"""A smoke test of an agent's tools: each is called once, with arguments that its schema takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from bailiwick.testing import AllToolsModel, example_value


class Size(Enum):
    small = "S"
    large = "L"


class Line(BaseModel):
    """A line of an order."""

    sku: Annotated[str, Field(pattern=r"^[A-Z]{2}-\d{4}$")]
    count: Annotated[int, Field(gt=0, le=10)]
    size: Size = Size.small
    gifts: list[Line] = []


@tool
def order(lines: Annotated[list[Line], Field(min_length=2)], due: date, note: str | None = None) -> str:
    """Order something."""
    return f"{len(lines)} lines, due {due:%d.%m.%Y}, note {note}"


@tool
def cancel(number: Annotated[str, Field(min_length=8)], how: Literal["now", "later"]) -> str:
    """Cancel an order."""
    return f"{number} {how}"


def said(model: AllToolsModel) -> Sequence[Any]:
    agent: Any = create_agent(model, [order, cancel])
    return agent.invoke({"messages": [("user", "Try everything.")]})["messages"]


@pytest.mark.parametrize("at_once", [True, False])
def test_every_tool_is_called_once_and_takes_what_it_is_given(at_once: bool) -> None:
    messages = said(AllToolsModel(at_once=at_once))
    results = [message for message in messages if message.type == "tool"]
    assert [(each.name, each.status) for each in results] == [("order", "success"), ("cancel", "success")]
    assert messages[-1].text == "order: 2 lines, due 31.01.2026, note None\ncancel: textxxxx now"
    assert len([each for each in messages if each.type == "ai"]) == (2 if at_once else 3)


def test_arguments_of_ones_own_are_given_in_place_of_made_up_ones() -> None:
    messages = said(AllToolsModel(arguments={"cancel": {"number": "O-1234567"}}))
    assert messages[-1].text.endswith("cancel: O-1234567 now")


def test_an_agent_without_tools_says_so() -> None:
    assert AllToolsModel().invoke("Hello").text == "There is no tool to call."


NUMBERS = st.integers(-1000, 1000)


@st.composite
def schemas(draw: st.DrawFn, deep: int = 2) -> dict[str, Any]:
    kinds = ["string", "integer", "number", "boolean", "null", "enum"] + (["array", "object", "any"] if deep else [])
    match draw(st.sampled_from(kinds)):
        case "string":
            least = draw(st.integers(0, 20))
            return {"type": "string", "minLength": least, "maxLength": least + draw(st.integers(0, 20))}
        case "integer" | "number" as kind:
            least = draw(NUMBERS)
            most = least + draw(st.integers(2, 50))
            low, high = draw(st.sampled_from([("minimum", "maximum"), ("exclusiveMinimum", "exclusiveMaximum")]))
            bounds = draw(st.sampled_from([{}, {low: least}, {high: most}, {low: least, high: most}]))
            return {"type": kind, **bounds}
        case "enum":
            return {"enum": draw(st.lists(NUMBERS, min_size=1))}
        case "array":
            least = draw(st.integers(0, 3))
            return {"type": "array", "items": draw(schemas(deep - 1)), "minItems": least, "maxItems": least + 1}
        case "object":
            names = draw(st.lists(st.sampled_from("abcdef"), unique=True))
            properties = {name: draw(schemas(deep - 1)) for name in names}
            return {"type": "object", "properties": properties, "required": names[::2], "additionalProperties": False}
        case "any":
            return {"anyOf": [draw(schemas(deep - 1)), {"type": "null"}]}
        case kind:
            return {"type": kind}


@settings(deadline=None, max_examples=300)
@given(schemas())
def test_what_is_made_up_is_what_the_schema_takes(schema: dict[str, Any]) -> None:
    jsonschema.validate(example_value(schema), schema)


@pytest.mark.parametrize("format", ["date", "date-time", "email", "ipv4", "ipv6", "uri", "uuid", "hostname"])
def test_formats_are_kept(format: str) -> None:
    schema = {"type": "string", "format": format}
    jsonschema.validate(example_value(schema), schema, format_checker=jsonschema.FormatChecker())


def test_references_patterns_and_defaults_are_followed() -> None:
    schema = Line.model_json_schema()
    made = example_value(schema)
    jsonschema.validate(made, schema)
    Line.model_validate(made)
