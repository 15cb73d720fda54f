"""The desk with a model behind a real HTTP server instead of its rules: BAILIWICK_MODEL is all that changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bailiwick import Project, Session
from bailiwick.agent import Finished, Token

pytestmark = pytest.mark.bubblewrap


async def test_it_calls_a_tool_and_its_words_stream(project_root: Path, serve: Any, reply: Any) -> None:
    served = serve(
        reply(calls=(("lookup_order", json.dumps({"order_id": "ORD-000131", "customer_id": "C-1001"})),)),
        reply(text="It is on its way with DHL."),
    )
    async with Project.open(project_root, sandbox="bubblewrap", phoenix=None) as project:
        live = project.agent("support")
        events = [
            event
            async for event in live.stream(
                "Where is my order ORD-000131?", thread="t", session=Session(user_id="C-1001")
            )
        ]
    streamed = "".join(event.text for event in events if isinstance(event, Token))
    assert streamed == "It is on its way with DHL."
    finished = events[-1]
    assert isinstance(finished, Finished)
    turn = finished.turn
    assert (turn.outcome, turn.model, turn.notice) == ("answered", "openai:served", "")
    assert [(call.tool, call.decision, call.outcome) for call in turn.calls] == [("lookup_order", "allow", "ok")]

    first, second = served.asked
    assert {tool["function"]["name"] for tool in first["tools"]} == set(live.declared.tools)
    assert "You are speaking with C-1001." in first["messages"][0]["content"]
    assert "JD0163" in second["messages"][-1]["content"]


async def test_a_model_that_is_away_fails_the_turn_and_keeps_the_conversation(
    project_root: Path, serve: Any, reply: Any
) -> None:
    serve(reply(status=401))
    async with Project.open(project_root, sandbox="bubblewrap", phoenix=None) as project:
        failed = await project.agent("support").ask("Hello", thread="t")
        assert failed.outcome == "failed"
        assert "openai" in failed.error or "served" in failed.error
        assert "fix:" in failed.error
        serve(reply(text="Hello again."))
        again = await project.agent("support").ask("Are you there?", thread="t")
        assert (again.outcome, again.text) == ("answered", "Hello again.")
