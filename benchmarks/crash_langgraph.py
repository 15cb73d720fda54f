"""The same conversation with LangGraph alone, written as its documentation says: ToolNode, ``interrupt``, resume."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import StructuredTool
from langgraph.types import Command, interrupt

from benchmarks.crash_model import Bank, in_order, model, question, replies, saver_class
from benchmarks.crash_points import Points

__all__ = ["converse"]


async def converse(root: str, database: str | None, conversation: str, bank: Bank, points: Points) -> dict[str, Any]:
    """Bring it to its end, going on with no input after a crash, and tell what it then knows."""

    async def pay(to: str, amount: int) -> str:
        """Pay an amount to somebody."""
        if amount > 50 and interrupt({"pay": to, "amount": amount}) != "approve":
            return "not approved"
        return await bank.pay(to, amount)

    async with AsyncExitStack() as stack:
        kind = saver_class(database)
        saver: Any = await stack.enter_async_context(kind.from_conn_string(database or f"{root}/state.db"))
        await saver.setup()
        points.hook(kind, "aput", "checkpoint")
        points.hook(kind, "aput_writes", "writes")
        graph: Any = create_agent(
            model(points), tools=[StructuredTool.from_function(coroutine=pay, name="pay")], checkpointer=saver
        )
        config: Any = {"configurable": {"thread_id": conversation}}
        points.begun()
        why = await _to_the_end(graph, config, conversation, points)
        messages = (await graph.aget_state(config)).values.get("messages", [])
    return {"why": why, "in_order": in_order(messages), "replies": replies(messages)}


async def _to_the_end(graph: Any, config: Any, conversation: str, points: Points) -> str:
    def human(text: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": text}]}

    for _ in range(10):
        state = await graph.aget_state(config)
        # Not ``next``, which leaves out what has run and is not yet written down as a step: who goes by it takes a
        # conversation for finished whose model has only just asked for its calls.
        if not state.values.get("messages") and not state.tasks:
            if not points.asks:
                return ""
            await graph.ainvoke(human(question(conversation)), config, durability="sync")
        elif state.interrupts:
            points.passed("before the approval")
            answers = {each.id: "approve" for each in state.interrupts}
            await graph.ainvoke(Command(resume=answers), config, durability="sync")
            points.passed("after the approval")
        elif state.tasks:
            await graph.ainvoke(None, config, durability="sync")
        else:
            await graph.ainvoke(human("Thanks"), config, durability="sync")
            return ""
    return "it came to no end"
