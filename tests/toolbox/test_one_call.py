"""One call by itself: a container that is killed, hangs or breaks, secrets, time, and a person who is there."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from bailiwick import Toolbox
from bailiwick.resilience import deadline
from bailiwick.sandbox import Result
from bailiwick.testing import FunctionModel, ScriptedSandbox
from bailiwick.toolbox import CallRecord, CallSite, record_of, running


def site(**known: Any) -> CallSite:
    return CallSite(agent="agent", thread="t", session={}, **known)


async def call(toolbox: Toolbox, tool: str, **args: Any) -> tuple[CallRecord, str]:
    from bailiwick.gate import Call

    message = await toolbox.call(Call(id="c", tool=tool, agent="agent", args=args), site())
    record = record_of(message)
    assert record is not None
    return record, message.text


async def test_a_read_whose_container_was_killed_is_run_once_more(
    open_toolbox: Any, sandbox: ScriptedSandbox, shop: Any
) -> None:
    toolbox = open_toolbox(ledger=False)
    sandbox.tools["lookup"] = Result(cause="killed", sandbox="scripted")
    record, _ = await call(toolbox, "lookup", order="O-1")
    assert record.outcome == "killed"
    assert [request.function for _, request in sandbox.requests if request.op == "call"] == ["lookup"] * 2


async def test_a_write_whose_container_was_killed_is_not_run_again(
    open_toolbox: Any, sandbox: ScriptedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", "k")
    toolbox = open_toolbox(ledger=False)
    sandbox.tools["send"] = Result(cause="killed", sandbox="scripted")
    record, text = await call(toolbox, "send", text="x")
    assert record.outcome == "killed"
    assert "Whether it had its effect is not known" in text
    assert len([1 for _, request in sandbox.requests if request.op == "call"]) == 1


async def test_a_missing_secret_is_told_to_the_operator_and_not_to_the_model(open_toolbox: Any, shop: Any) -> None:
    record, text = await call(open_toolbox(ledger=False), "send", text="x")
    assert (record.outcome, record.error_type) == ("no_sandbox", "secret_missing")
    assert "SHOP_KEY" in record.error
    assert "SHOP_KEY" not in text
    assert shop.ran == []


async def test_secrets_travel_in_the_request_and_in_no_record(
    open_toolbox: Any, sandbox: ScriptedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", "hush-hush")
    record, text = await call(open_toolbox(ledger=False), "send", text="x")
    assert record.outcome == "ok"
    (_, request) = sandbox.requests[-1]
    assert request.secrets == {"SHOP_KEY": "hush-hush"}
    assert "hush-hush" not in f"{request} {record} {text}"


async def test_a_sandbox_that_breaks_is_no_sandbox(open_toolbox: Any, sandbox: ScriptedSandbox) -> None:
    from bailiwick.errors import SandboxFailed

    toolbox = open_toolbox(ledger=False)
    sandbox.tools["lookup"] = SandboxFailed("the engine is gone")
    record, text = await call(toolbox, "lookup", order="O-1")
    assert (record.outcome, record.error_type) == ("no_sandbox", "SandboxFailed")
    assert "engine" not in text


async def test_a_sandbox_that_hangs_is_given_up(
    open_toolbox: Any, sandbox: ScriptedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    async def hang(order: str) -> str:
        """Never."""
        await asyncio.sleep(60)
        return order

    toolbox = open_toolbox(ledger=False)
    sandbox.tools["refund"] = sandbox.tools["lookup"] = hang
    monkeypatch.setattr(running, "HANDLING", 0.0)
    monkeypatch.setattr(running, "seconds_left", lambda at_most: min(at_most, 0.01))
    record, _ = await call(toolbox, "lookup", order="O-1")
    assert (record.outcome, record.error_type) == ("killed", "SandboxHung")


async def test_a_person_who_is_there_is_asked_at_once(open_toolbox: Any, shop: Any) -> None:
    from bailiwick.gate import Call

    put: list[Any] = []

    def ask(question: Any) -> Any:
        put.append(question["action_requests"][0]["args"])
        return {"decisions": [{"type": "approve", "by": {"user_id": "mara", "roles": ["lead"]}}]}

    asked = Call(id="c", tool="refund", agent="agent", args={"order": "O-1", "amount": 80})
    message = await open_toolbox(ledger=False).call(asked, site(ask=ask))
    record = record_of(message)
    assert record is not None
    assert (record.outcome, record.approved_by) == ("ok", "mara")
    assert put == [{"amount": 80, "order": "O-1"}]


async def test_what_is_not_offered_is_denied_and_tells_nothing_of_its_arguments(open_toolbox: Any, shop: Any) -> None:
    from bailiwick.gate import Call

    asked = Call(id="c", tool="refund", agent="agent", args={"nonsense": 1})
    message = await open_toolbox(ledger=False).call(asked, site(offered=frozenset({"lookup"})))
    record = record_of(message)
    assert record is not None
    assert (record.decision, record.key) == ("deny", "offered")
    assert "order" not in message.text


async def test_a_turn_without_time_starts_nothing(open_toolbox: Any, shop: Any) -> None:
    toolbox = open_toolbox(ledger=False)
    with deadline(0):
        record, text = await call(toolbox, "lookup", order="O-1")
    assert record.error_type == "DeadlineExceeded"
    assert "was not run" in text
    assert shop.ran == []


async def test_a_tool_that_raises_is_a_message_and_not_an_exception(
    open_toolbox: Any, sandbox: ScriptedSandbox
) -> None:
    def lookup(order: str) -> str:
        """Fails."""
        raise LookupError(f"no order {order}")

    toolbox = open_toolbox(ledger=False)
    sandbox.tools["lookup"] = lookup
    record, text = await call(toolbox, "lookup", order="O-1")
    assert (record.outcome, record.error_type, record.error) == ("error", "LookupError", "no order O-1")
    assert text.startswith("lookup failed: LookupError: no order O-1.")


def test_a_model_that_is_a_function_gives_the_same_after_a_crash() -> None:
    model = FunctionModel(function=lambda messages, tools: AIMessage(f"{len(messages)} and {len(tools)}"))
    tool: Any = {"type": "function", "function": {"name": "a", "description": "", "parameters": {"type": "object"}}}
    bound = model.bind_tools([tool])
    assert bound.invoke([HumanMessage("x")]).text == bound.invoke([HumanMessage("x")]).text == "1 and 1"
