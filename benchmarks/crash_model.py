"""What both systems have: the question, the model that is a function, and a bank that pays at the witness."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from bailiwick import FunctionModel
from benchmarks.crash_points import Points
from benchmarks.crash_witness import say

__all__ = ["PAYMENTS", "Bank", "in_order", "model", "question", "replies", "saver_class"]

PAYMENTS = (("ann", 20), ("bob", 30), ("cid", 70))
"""Two that are allowed and run at the same time, and one that a person is asked for."""


@dataclass(frozen=True, kw_only=True)
class Bank:
    """``witness``: its socket."""

    witness: str
    points: Points

    async def pay(self, to: str, amount: int) -> str:
        """Pay an amount to somebody."""
        await asyncio.sleep(0.005)
        self.points.passed("before the effect")
        say(self.witness, {"pay": to})
        self.points.passed("after the effect")
        await asyncio.sleep(0.005)
        return f"{amount} paid to {to}"

    def paid(self, to: str) -> dict[str, Any]:
        """Whether somebody was paid."""
        return {"happened": True, "result": f"paid to {to}"} if self.was_paid(to) else {"happened": False}

    def was_paid(self, to: str) -> bool:
        return bool(say(self.witness, {"paid": to}))

    def unknown(self, to: str) -> None:
        """A person was asked what became of it."""
        say(self.witness, {"unknown": to})


def saver_class(database: str | None) -> Any:
    """LangGraph's saver for a server, or for a file."""
    if database:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

        return AsyncPostgresSaver
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    return AsyncSqliteSaver


def question(conversation: str) -> str:
    return "Pay " + ", ".join(f"{name}-{conversation} {amount}" for name, amount in PAYMENTS)


def model(points: Points) -> FunctionModel:
    """It asks for the payments, then tells what came back."""

    def speak(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
        points.passed("before the model")
        said = _speak(messages)
        points.passed("after the model")
        return said

    return FunctionModel(function=speak)


def _speak(messages: Sequence[BaseMessage]) -> AIMessage:
    last = messages[-1]
    if last.type == "human" and last.text.startswith("Pay "):
        parts = [part.split() for part in last.text.removeprefix("Pay ").split(", ")]
        calls: list[Any] = [
            {"name": "pay", "args": {"to": to, "amount": int(amount)}, "id": f"call-{n}", "type": "tool_call"}
            for n, (to, amount) in enumerate(parts)
        ]
        return AIMessage("", tool_calls=calls)
    return AIMessage("Done." if last.type == "tool" else "You are welcome.")


def replies(messages: Sequence[BaseMessage]) -> list[str]:
    """What the conversation knows of its calls."""
    return [message.text for message in messages if message.type == "tool"]


def in_order(messages: Sequence[BaseMessage]) -> bool:
    """Whether a provider would take it: each call is answered once, right after the message that makes it."""
    waiting: set[str] = set()
    for message in messages:
        if message.type == "tool":
            if getattr(message, "tool_call_id", "") not in waiting:
                return False
            waiting.discard(getattr(message, "tool_call_id", ""))
        elif waiting:
            return False
        elif isinstance(message, AIMessage):
            waiting = {str(call["id"]) for call in message.tool_calls}
    return not waiting
