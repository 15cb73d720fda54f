"""A bank of one tool that pays and one that looks, on a scripted sandbox; what was paid is counted beside it all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage

from bailiwick import FunctionModel, LiveAgent, Project
from bailiwick.testing import ScriptedSandbox

AGENT = """from bailiwick import Agent, ModelLimits

agent = Agent(instructions="Pay.", graph="loop", tools=("pay", "paid"))
"""
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
rules: [{id: any, decision: allow, agents: [any], args: {to: {type: string}}, reason: r}]
"""


class Bank:
    """``made``: what was really paid. ``slow``: seconds that a payment takes. Not ``knows``: its books are closed."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int]] = []
        self.slow = 0.0
        self.started = asyncio.Event()
        self.knows = True

    async def pay(self, to: str, amount: int) -> str:
        """Pay an amount to somebody."""
        self.started.set()
        await asyncio.sleep(self.slow)
        self.made.append((to, amount))
        return f"{amount} paid to {to}"

    def paid(self, to: str) -> dict[str, Any]:
        """Whether somebody was paid."""
        if not self.knows:
            return {"sorry": "the books are closed"}
        found = [amount for name, amount in self.made if name == to]
        return {"happened": True, "result": f"{found[0]} paid to {to}"} if found else {"happened": False}


def words(message: BaseMessage) -> str:
    return message.text.removeprefix("Pay ")


def speak(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
    """``Pay Bob 20, Eve 70`` asks for both at once; anything else, and results, are told again."""
    last = messages[-1]
    if last.type == "human" and last.text.startswith("Pay "):
        calls = [
            {"name": "pay", "args": {"to": to, "amount": int(amount)}, "id": f"call-{n}", "type": "tool_call"}
            for n, (to, amount) in enumerate(part.split() for part in words(last).split(", "))
        ]
        return AIMessage("", tool_calls=calls)
    replies: list[str] = []
    for message in reversed(messages):
        if message.type not in ("tool", "human"):
            break
        if message.type == "tool":
            replies.insert(0, message.text)
    return AIMessage(" | ".join(replies) or "Nothing was done.")


Open = Callable[..., AbstractAsyncContextManager[LiveAgent]]


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def open_agent(tmp_path: Path, bank: Bank, kept_in: str) -> Open:
    """Open the project as a process of its own would, over the database of this test."""
    for folder in ("agents", "graphs", "tools", "policies"):
        (tmp_path / folder).mkdir()
    (tmp_path / "agents/clerk.py").write_text(AGENT)
    graph = Path(__file__).resolve().parents[2] / "graphs/answer_with_tools.py"
    (tmp_path / "graphs/loop.py").write_text(graph.read_text())
    (tmp_path / "tools/bank.py").write_text("# what is in here is scripted\n")
    (tmp_path / "policies/paid.yaml").write_text(PAID)

    @asynccontextmanager
    async def open_(
        *,
        recover: str = "ask",
        deadline: float = 60,
        limits: str = "",
        model: Any = None,
        fallbacks: Sequence[Any] = (),
        **scripted: Any,
    ) -> AsyncGenerator[LiveAgent]:
        (tmp_path / "policies/pay.yaml").write_text(PAY.format(recover=recover))
        declared = AGENT.replace("Agent(", f"Agent(deadline={deadline}, limits=ModelLimits({limits}), ", 1)
        (tmp_path / "agents/clerk.py").write_text(declared)
        sandbox = ScriptedSandbox({"pay": bank.pay, "paid": bank.paid})
        database = kept_in if "://" in kept_in else None
        async with Project.open(tmp_path, sandbox=sandbox, phoenix=None, database=database) as project:
            sandbox.tools.update(scripted)
            yield project.agent("clerk", model=model or FunctionModel(function=speak), fallbacks=fallbacks)

    return open_
