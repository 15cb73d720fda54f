"""A plan, its steps one after the other, and an answer from what came of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage

from bailiwick import FunctionModel
from bailiwick.agent import Token
from bailiwick.graph.plan_text import read_plan
from bailiwick.testing import ScriptedModel

DESK: dict[str, Any] = {"desk": {"graph": "plan_and_execute", "tools": ("look", "pay_back"), "max_steps": 12}}
TWO = json.dumps(["Look O-1 up", "Look O-2 up"])


def kinds(messages: Sequence[BaseMessage]) -> list[str]:
    return [message.type for message in messages]


async def test_each_step_is_done_and_the_answer_comes_from_what_came_of_them(
    open_project: Any, shop: Any, asks: Any
) -> None:
    model = ScriptedModel(
        TWO,
        asks(("look", {"order": "O-1"})),
        "O-1: 30.",
        json.dumps(["Look O-2 up"]),
        asks(("look", {"order": "O-2"})),
        "O-2: 30.",
        "60 together.",
    )
    async with open_project(**DESK) as project:
        turn = await project.agent("desk", model=model).ask("What did O-1 and O-2 cost?", thread="t")
    model.assert_complete()
    assert (turn.outcome, turn.text, shop.ran) == ("answered", "60 together.", [("look", "O-1"), ("look", "O-2")])
    plan, first, second, replan, third, *_, conclude = model.requests
    assert "look: Look an order up" in plan[0].text
    assert "Do this one step now, and no other: Look O-1 up" in first[-1].text
    assert kinds(second) == ["system", "human", "ai", "tool", "ai", "tool"]
    assert "Done: Look O-1 up\nWhat came of it: O-1: 30." in replan[-1].text
    assert "Still planned: Look O-2 up" in replan[-1].text
    # A step sees what came of those before it, and nothing of how.
    assert [message.text for message in third[1:]][:3] == ["What did O-1 and O-2 cost?", "", "O-1: 30."]
    assert kinds(conclude) == ["system", "human", "ai", "tool", "ai", "tool"]


async def test_what_a_step_says_is_never_what_the_customer_said(open_project: Any, shop: Any, asks: Any) -> None:
    model = ScriptedModel(
        json.dumps(["Look O-1 up", "Pay 40 of O-1 back"]),
        asks(("look", {"order": "O-1"})),
        "O-1: 30.",
        "no idea",  # the plan stays as it was
        asks(("pay_back", {"order": "O-1", "amount": 40})),
    )
    async with open_project(**DESK) as project:
        turn = await project.agent("desk", model=model).ask("What about O-1?", thread="t")
    assert (turn.outcome, [each.tool for each in turn.questions]) == ("waiting", ["pay_back"])
    assert shop.ran == [("look", "O-1")]


@pytest.mark.parametrize("plan", ["I would just answer.", "[]", '["Answer"]', ""])
async def test_what_is_no_plan_of_several_steps_is_answered_straight_away(
    open_project: Any, shop: Any, asks: Any, plan: str
) -> None:
    model = ScriptedModel(plan, asks(("look", {"order": "O-1"})), "30 euro.")
    async with open_project(**DESK) as project:
        turn = await project.agent("desk", model=model).ask("What did O-1 cost?", thread="t")
    model.assert_complete()
    assert (turn.outcome, turn.text, shop.ran) == ("answered", "30 euro.", [("look", "O-1")])
    assert kinds(model.requests[1]) == ["system", "human"]


async def test_a_plan_may_be_cut_short_by_what_came_out(open_project: Any) -> None:
    model = ScriptedModel(TWO, "O-1 is all there is.", "[]", "30.")
    async with open_project(**DESK) as project:
        turn = await project.agent("desk", model=model).ask("What did O-1 and O-2 cost?", thread="t")
    model.assert_complete()
    assert (turn.outcome, turn.text) == ("answered", "30.")


@pytest.mark.parametrize(("limit", "outcome"), [(12, "limit"), (4, "limit"), (3, "limit")])
async def test_a_plan_that_never_ends_is_stopped_by_the_requests_and_says_what_was_not_done(
    open_project: Any, limit: int, outcome: str
) -> None:
    requests = 0
    last: list[BaseMessage] = []

    def speak(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
        nonlocal requests, last
        requests, last = requests + 1, list(messages)
        planning = "You plan and answer nobody" in messages[0].text
        return AIMessage(json.dumps([f"step {requests}.{n}" for n in range(9)]) if planning else "so far")

    async with open_project(desk={**DESK["desk"], "max_steps": limit}) as project:
        live = project.agent("desk", model=FunctionModel(function=speak))
        turn = await live.ask("Do everything", thread="t")
        assert (turn.outcome, turn.text) == (outcome, "so far")
        assert requests <= limit
        assert "Not done: step 1.1" in last[-1].text or limit > 4
        first, requests = requests, 0
        await live.ask("Do everything", thread="t")
        assert requests == first


async def test_plans_and_steps_are_no_part_of_what_the_customer_hears(open_project: Any, spoken: Any) -> None:
    model = spoken(TWO, "first", "[]", "The answer.")
    async with open_project(**DESK) as project:
        live = project.agent("desk", model=model)
        events = [event async for event in live.stream("What did O-1 and O-2 cost?", thread="t")]
    assert "".join(event.text for event in events if isinstance(event, Token)).strip() == "The answer."


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ('["a", "b"]', ["a", "b"]),
        ('Sure! ```json\n{"steps": ["a", " b "]}\n```', ["a", "b"]),
        ('[{"step": "a"}, {"n": 2, "task": "b"}]', ["a", "b"]),
        ("1. a\n2) b", ["a", "b"]),
        ("Plan:\n- a\n* b\n", ["a", "b"]),
        ("[]", []),
        ("see [1]", None),
        ("[1, 2]", None),
        ('["a", 2]', None),
        ('["a", ""]', None),
        ("I would look", None),
        ("[" * 5000, None),
        ("", None),
    ],
)
def test_a_plan_is_read_however_it_is_wrapped(text: str, plan: list[str] | None) -> None:
    assert read_plan(text) == plan
