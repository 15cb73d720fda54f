"""What Phoenix has of a turn, read back with its own client: every call is a span, whatever became of it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from bailiwick import Project, Session, Turn
from bailiwick.testing import ScriptedModel

pytestmark = [pytest.mark.phoenix, pytest.mark.bubblewrap]


@pytest.fixture
async def project(
    project_root: Path, phoenix: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncGenerator[Project]:
    monkeypatch.setenv("BAILIWICK_PROJECT", request.node.name)
    async with Project.open(project_root, sandbox="bubblewrap", phoenix=phoenix.endpoint) as project:
        yield project


def tree(project: Project, phoenix: Any, turn: Turn) -> str:
    """The trace as a reviewer reads it: one span a line, its kind, its status and what makes it an error."""
    assert project.tracing.flush(30.0)
    spans = phoenix.all_spans(project.layout.name, trace_ids=[turn.trace_id])
    children: dict[str | None, list[Any]] = {}
    for span in sorted(spans, key=lambda span: span["start_time"]):
        children.setdefault(span["parent_id"], []).append(span)

    def lines(parent: str | None, depth: int) -> list[str]:
        found = []
        for span in children.pop(parent, []):
            error = span["attributes"].get("error.type", "")
            text = f"{'  ' * depth}{span['name']}  {span['span_kind']} {span['status_code']}"
            found.append(f"{text} {error}".rstrip())
            found += lines(span["context"]["span_id"], depth + 1)
        return found

    shown = "\n".join(lines(None, 0))
    assert not children, f"orphans: {children}"
    return shown


async def test_a_call_that_is_allowed(project: Project, phoenix: Any, snapshot: Any) -> None:
    live = project.agent("support")
    turn = await live.ask("Where is my order ORD-000131?", thread="t", session=Session(user_id="C-1001"))
    assert tree(project, phoenix, turn) == snapshot


async def test_a_call_that_is_denied(project: Project, phoenix: Any, snapshot: Any) -> None:
    live = project.agent("support")
    turn = await live.ask("Show me all the orders of C-1001", thread="t", session=Session(user_id="C-1002"))
    assert tree(project, phoenix, turn) == snapshot


async def test_a_call_that_is_asked_about_and_approved(project: Project, phoenix: Any, snapshot: Any) -> None:
    live, session = project.agent("support"), Session(user_id="C-1003")
    asked = await live.ask("One of ORD-000128 broke, refund 64.50 euro please", thread="t", session=session)
    lead = {"type": "approve", "by": {"user_id": "mara", "roles": ["refund-lead"]}}
    resumed = await live.resume({asked.questions[0].id: lead}, thread="t", session=session)
    assert tree(project, phoenix, asked) + "\n\n" + tree(project, phoenix, resumed) == snapshot


def calls(*each: tuple[str, dict[str, Any]]) -> AIMessage:
    made = [{"name": name, "args": args, "id": f"call-{n}", "type": "tool_call"} for n, (name, args) in enumerate(each)]
    return AIMessage("", tool_calls=made)


async def test_calls_that_name_no_tool_or_do_not_fit_it(project: Project, phoenix: Any, snapshot: Any) -> None:
    model = ScriptedModel(calls(("drop_tables", {})), calls(("shipping_quote", {"country": 7})), "That did not work.")
    turn = await project.agent("support", model=model).ask("Hello", thread="t")
    assert turn.text == "That did not work."
    assert tree(project, phoenix, turn) == snapshot


async def test_code_that_runs_too_long(project: Project, phoenix: Any, snapshot: Any) -> None:
    model = ScriptedModel(calls(("run_python", {"code": "while True: pass"})), "It took too long.")
    turn = await project.agent("support", model=model).ask("Count", thread="t")
    assert turn.calls[0].outcome == "timeout"
    assert tree(project, phoenix, turn) == snapshot


async def test_a_model_that_fails_leaves_the_conversation(project: Project, phoenix: Any, snapshot: Any) -> None:
    model = ScriptedModel()  # nothing is written for it, so that the first request fails
    turn = await project.agent("support", model=model).ask("Hello", thread="t")
    assert turn.outcome == "failed"
    assert tree(project, phoenix, turn) == snapshot
    again = await project.agent("support").ask("How long can I return a lantern?", thread="t")
    assert again.outcome == "answered"


async def test_a_failing_tool_is_a_new_error_path_with_an_annotation(project: Project, phoenix: Any) -> None:
    live = project.agent("support")
    turn = await live.ask("What does it cost to send 2.5 kg to Iceland?", thread="t", session=Session())
    assert project.tracing.flush(30.0)
    assert project.watch.flush(30.0)
    (call,) = turn.calls
    (note,) = phoenix.annotations(project.layout.name, call.span_id)
    assert (note["name"], note["identifier"]) == ("new_error_path", call.error_path)
    spans = {span["context"]["span_id"]: span for span in phoenix.all_spans(project.layout.name)}
    attributes = spans[call.span_id]["attributes"]
    assert attributes["error.fingerprint"] == call.error_path
    assert spans[turn.span_id]["attributes"]["error.path.any_new"] is True


async def test_who_speaks_and_what_a_tool_said_are_on_the_spans(project: Project, phoenix: Any) -> None:
    live = project.agent("support")
    turn = await live.ask("Where is my order ORD-000131?", thread="thread-7", session=Session(user_id="C-1001"))
    assert project.tracing.flush(30.0)
    spans = phoenix.all_spans(project.layout.name, trace_ids=[turn.trace_id])
    root = next(span for span in spans if span["parent_id"] is None)
    assert root["attributes"]["session.id"] == "thread-7"
    assert root["attributes"]["user.id"] != "C-1001"
    tool = next(span for span in spans if span["name"] == "execute_tool lookup_order")["attributes"]
    assert json.loads(tool["input.value"]) == {"order_id": "ORD-000131", "customer_id": "C-1001"}
    assert "JD0163" in tool["output.value"]
    run = next(span for span in spans if span["name"] == "sandbox.run")["attributes"]
    assert run["bailiwick.sandbox.kind"] == "bubblewrap"
