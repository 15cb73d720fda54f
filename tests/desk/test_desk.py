"""The support desk answers, end to end: its real folders, a real sandbox, a real index; its own offline rules."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

import pytest

from bailiwick import Project, Session, Turn
from bailiwick.agent import LiveAgent
from bailiwick.errors import InputRefused


@pytest.fixture
async def desk(project_root: Path, sandbox_kind: str) -> AsyncGenerator[LiveAgent]:
    async with Project.open(project_root, sandbox=sandbox_kind) as project:
        yield project.agent("support")


LEAD = {"user_id": "mara", "roles": ["refund-lead"]}


async def test_an_order_is_looked_up_for_the_customer_whose_it_is(desk: LiveAgent) -> None:
    turn = await desk.ask("Where is my order ORD-000131?", thread="t", session=Session(user_id="C-1001"))
    (call,) = turn.calls
    assert (call.decision, call.rule, call.outcome) == ("allow", "own-order", "ok")
    assert "JD0163" in turn.text


async def test_another_customers_order_is_not_found_and_their_list_is_denied(desk: LiveAgent) -> None:
    turn = await desk.ask("Where is my order ORD-000131?", thread="t", session=Session(user_id="C-1002"))
    assert (turn.calls[0].decision, turn.calls[0].outcome) == ("allow", "error")
    turn = await desk.ask("Show me all the orders of C-1001", thread="t", session=Session(user_id="C-1002"))
    assert turn.calls[0].decision == "deny"
    assert "find_orders.yaml" in turn.calls[0].where
    assert "C-1001" not in turn.text


async def test_nobody_who_is_not_named_gets_at_orders(desk: LiveAgent) -> None:
    turn = await desk.ask("Where is my order ORD-000131?", thread="t")
    assert turn.calls[0].decision == "deny"


async def test_a_small_refund_is_made_once(desk: LiveAgent, project_root: Path) -> None:
    turn = await desk.ask(
        "ORD-000124 has a pulled thread, please refund 20 euro.", thread="t", session=Session(user_id="C-1002")
    )
    assert [(call.tool, call.decision, call.outcome) for call in turn.calls] == [
        ("lookup_order", "allow", "ok"),
        ("refund_order", "allow", "ok"),
    ]
    assert refunds(project_root) == [("ORD-000124", 2000)]


@pytest.mark.parametrize(
    ("decision", "paid", "says"),
    [
        ("approve", [("ORD-000128", 6450)], "64.50 euro of ORD-000128 are on their way"),
        ("reject", [], "I asked, and may not make that refund"),
    ],
)
async def test_a_large_refund_waits_for_a_lead(
    desk: LiveAgent, project_root: Path, decision: str, paid: list[tuple[str, int]], says: str
) -> None:
    session = Session(user_id="C-1003")
    turn = await desk.ask("One of ORD-000128 broke, refund 64.50 euro please", thread="t", session=session)
    assert turn.outcome == "waiting"
    assert refunds(project_root) == []
    (question,) = turn.questions
    assert question.tool == "refund_order"

    turn = await desk.resume({question.id: {"type": decision, "by": LEAD}}, thread="t", session=session)
    assert turn.outcome == "answered"
    assert says in turn.text
    assert refunds(project_root) == paid


async def test_an_approval_by_somebody_else_does_not_count(desk: LiveAgent, project_root: Path) -> None:
    session = Session(user_id="C-1003")
    turn = await desk.ask("One of ORD-000128 broke, refund 64.50 euro please", thread="t", session=session)
    by = {"user_id": "C-1003", "roles": []}
    turn = await desk.resume({turn.questions[0].id: {"type": "approve", "by": by}}, thread="t", session=session)
    assert turn.calls[-1].outcome == "rejected"
    assert refunds(project_root) == []


async def test_an_answer_to_a_question_that_is_gone_is_refused(desk: LiveAgent, project_root: Path) -> None:
    session = Session(user_id="C-1003")
    turn = await desk.ask("One of ORD-000128 broke, refund 64.50 euro please", thread="t", session=session)
    await desk.ask("Never mind, where is ORD-000128?", thread="t", session=session)  # the conversation goes on
    with pytest.raises(InputRefused, match=r"no question '.*' waits in the thread 't' \(waiting: none\)"):
        await desk.resume({turn.questions[0].id: {"type": "approve", "by": LEAD}}, thread="t", session=session)
    assert refunds(project_root) == []


async def test_a_refund_above_every_rule_is_denied(desk: LiveAgent, project_root: Path) -> None:
    turn = await desk.ask("Please refund all 714 euro of ORD-000133", thread="t", session=Session(user_id="C-1004"))
    assert [(call.tool, call.decision) for call in turn.calls] == [("lookup_order", "allow"), ("refund_order", "deny")]
    assert refunds(project_root) == []


async def test_an_attachment_that_gives_orders_is_read_and_not_obeyed(desk: LiveAgent, project_root: Path) -> None:
    turn = await desk.ask(
        "This came with ORD-000131. What is it?\n[attached: supplier-note.pdf]",
        thread="t",
        session=Session(user_id="C-1001"),
    )
    by_tool = {call.tool: call for call in turn.calls}
    assert by_tool["read_attachment"].trust == "untrusted"
    # The rules are gullible: they did ask for the refund. The gate is what said no, and says why.
    assert by_tool["refund_order"].args["amount"] == 45
    assert (by_tool["refund_order"].decision, by_tool["refund_order"].key) == ("deny", "on_untrusted")
    assert refunds(project_root) == []


async def test_code_is_run_and_touches_nothing(desk: LiveAgent) -> None:
    turn = await desk.ask("What is 19 % of 149 + 2 * 24.90?", thread="t", session=Session(user_id="C-1002"))
    assert (turn.calls[0].tool, turn.calls[0].outcome) == ("run_python", "ok")
    assert "78.11" in turn.text


async def test_a_failure_never_seen_before_is_a_new_error_path_and_then_a_known_one(desk: LiveAgent) -> None:
    async def ask() -> Turn:
        return await desk.ask("What does it cost to ship 2.5 kg to Iceland?", thread="t", session=Session())

    first, second = await ask(), await ask()
    assert first.outcome == second.outcome == "answered"
    assert first.calls[0].error_type in ("DivisionByZero", "ZeroDivisionError")
    assert [turn.calls[0].error_path_state for turn in (first, second)] == ["new", "known"]
    assert first.error_paths == second.error_paths


async def test_a_case_is_handed_to_people(desk: LiveAgent) -> None:
    turn = await desk.ask("I want to complain to a person", thread="t", session=Session(user_id="C-1004"))
    assert "T-00001" in turn.text


def refunds(root: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(root / "data/orders/orders.db")) as database:
        return database.execute("SELECT order_id, amount_cents FROM refunds").fetchall()
