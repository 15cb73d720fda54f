"""A conversation with Bailiwick, begun or taken up where a killed process left it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bailiwick import LiveAgent, Project, Turn
from bailiwick.errors import InputRefused, ThreadBusy
from bailiwick.ledger import CallLedger, Questions
from bailiwick.sandbox import ScriptedSandbox
from benchmarks.crash_model import Bank, in_order, model, question, replies, saver_class
from benchmarks.crash_points import Points

__all__ = ["converse", "make_project"]

AGENT = 'from bailiwick import Agent\n\nagent = Agent(instructions="Pay.", graph="loop", tools=("pay", "paid"))\n'
PAY = """
version: 1
tool: pay
effect: write
recover: {recover}
output: {{trust: trusted}}
on_untrusted: allow
rules:
  - id: small
    decision: allow
    agents: [any]
    args: {{to: {{type: string}}, amount: {{type: integer, le: 50}}}}
    reason: small change
  - id: large
    decision: ask
    agents: [any]
    args: {{to: {{type: string}}, amount: {{type: integer, gt: 50}}}}
    approval: {{by: ["role:lead"]}}
    reason: a lead decides
"""
PAID = """
version: 1
tool: paid
effect: read
output: {trust: trusted}
rules: [{id: any, decision: allow, agents: [any], args: {to: {type: string}}, reason: it only looks}]
"""
GRAPH = Path(__file__).resolve().parents[1] / "graphs/answer_with_tools.py"
LEAD = {"user_id": "lead", "roles": ["lead"]}


def make_project(root: Path, *, lookup: bool) -> None:
    """``lookup``: the tool that pays says how to find out whether it did."""
    for folder in ("agents", "graphs", "tools", "policies"):
        (root / folder).mkdir(parents=True)
    (root / "agents/clerk.py").write_text(AGENT)
    (root / "graphs/loop.py").write_text(GRAPH.read_text())
    (root / "tools/bank.py").write_text("# what is in here is scripted\n")
    (root / "policies/pay.yaml").write_text(PAY.format(recover="{lookup: paid}" if lookup else "ask"))
    (root / "policies/paid.yaml").write_text(PAID)


async def converse(root: str, database: str | None, conversation: str, bank: Bank, points: Points) -> dict[str, Any]:
    """Bring it to its end as its user and its operator would, and tell what it then knows."""
    saver = saver_class(database)
    for method in ("begin", "finish", "reopen", "settle"):
        points.hook(CallLedger, method, method)
    points.hook(Questions, "put", "ask")
    points.hook(Questions, "answer", "answer")
    points.hook(saver, "aput", "checkpoint")
    points.hook(saver, "aput_writes", "writes")
    sandbox = ScriptedSandbox({"pay": bank.pay, "paid": bank.paid})
    async with Project.open(root, sandbox=sandbox, phoenix=None, database=database) as project:
        clerk = project.agent("clerk", model=model(points))
        points.begun()
        bank_says = await _to_the_end(clerk, conversation, bank, points)
        config: Any = {"configurable": {"thread_id": conversation}}
        state = await clerk.graph.aget_state(config)
        messages = state.values.get("messages", [])
    return {"why": bank_says, "in_order": in_order(messages), "replies": replies(messages)}


async def _to_the_end(clerk: LiveAgent, thread: str, bank: Bank, points: Points) -> str:
    """Empty: it was brought to its end and can be gone on with. Else: why not."""
    turn: Turn | None = None
    for _ in range(10):
        if not points.asks and not await _anything_asked(clerk, thread):
            return ""
        try:
            turn = await _next(clerk, thread, turn, bank, points)
        except (InputRefused, ThreadBusy):
            turn = None  # another process is at it as well
            continue
        if turn.outcome == "failed":
            return turn.error
        if turn.outcome == "answered":
            thanks = await clerk.ask("Thanks", thread=thread)
            return thanks.error
    return "it came to no end"


async def _next(clerk: LiveAgent, thread: str, turn: Turn | None, bank: Bank, points: Points) -> Turn:
    if turn is not None and turn.outcome == "waiting":
        points.passed("before the approval")
        answers: dict[str, Any] = {}
        for each in turn.questions:
            to = str(each.args["to"])
            approve: dict[str, Any] = {"type": "approve", "by": LEAD}
            if "never came back" in each.reason:
                bank.unknown(to)
                if bank.was_paid(to):
                    approve = {"type": "reject", "message": f"the bank says: {each.args['amount']} paid to {to}"} | {
                        "by": LEAD
                    }
            answers[each.id] = approve
        turn = await clerk.resume(answers, thread=thread)
        points.passed("after the approval")
        return turn
    if turn := await clerk.recover(thread=thread):
        return turn
    if await _anything_asked(clerk, thread):
        return Turn(agent=clerk.name, thread=thread, outcome="answered")
    return await clerk.ask(question(thread), thread=thread)


async def _anything_asked(clerk: LiveAgent, thread: str) -> bool:
    state = await clerk.graph.aget_state({"configurable": {"thread_id": thread}})
    return bool(state.values.get("messages") or state.tasks)
