"""What a turn costs with Bailiwick beside plain LangGraph: same model, same tool body, same saver, in one run.

    python -m benchmarks.turns [--turns 100] [--conversations 5] [--json]

The model is a function and the tool gives a constant, so that what is left is the frameworks' own time. Plain is
``create_agent`` with the tool in this process and no tracing. Bailiwick is the shipped graph that does the same
(``graphs/answer_with_tools.py``) with gate, ledger, spans to an in-memory exporter and a scripted sandbox, since a
container's own time is another matter. Turns of the two alternate, so that a busy machine slows both. The first
conversation imports and compiles and is left out. ``bytes`` is what one conversation's checkpoints came to, with their
metadata and writes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import tool as langchain_tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bailiwick import FunctionModel, Project, Session
from bailiwick.sandbox import ScriptedSandbox
from bailiwick.tracing import configure

TOOL = '''from bailiwick import tool


@tool
def weigh(item: str) -> str:
    """Weigh an item."""
    return "2 kg"
'''
POLICY = """version: 1
tool: weigh
effect: read
output: {trust: trusted}
rules:
  - {id: any, decision: allow, agents: [clerk], args: {item: {type: string}}, reason: it only weighs}
"""
AGENT = 'from bailiwick import Agent\n\nagent = Agent(instructions="Weigh.", graph="loop", tools=("weigh",))\n'


def weigh(item: str) -> str:
    """Weigh an item."""
    return "2 kg"


def speak(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> AIMessage:
    if messages[-1].type == "tool":
        return AIMessage("It weighs 2 kg.")
    call = {"name": "weigh", "args": {"item": "lamp"}, "id": f"call-{len(messages)}", "type": "tool_call"}
    return AIMessage("", tool_calls=[call])


def make_project(root: Path) -> None:
    for folder in ("agents", "graphs", "tools", "policies"):
        (root / folder).mkdir()
    (root / "agents/clerk.py").write_text(AGENT)
    desk = Path(__file__).resolve().parent.parent / "graphs/answer_with_tools.py"
    (root / "graphs/loop.py").write_text(desk.read_text())
    (root / "tools/weigh.py").write_text(TOOL)
    (root / "policies/weigh.yaml").write_text(POLICY)


Seconds = dict[str, list[list[float]]]
"""By system, for each turn what it took in each conversation."""


async def measure(turns: int, conversations: int) -> tuple[Seconds, dict[str, int]]:
    seconds: Seconds = {name: [[] for _ in range(turns)] for name in ("plain", "bailiwick")}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root)
        async with (
            AsyncSqliteSaver.from_conn_string(str(root / "plain.db")) as saver,
            Project.open(root, sandbox=ScriptedSandbox({"weigh": weigh}), phoenix=None) as project,
        ):
            spans = InMemorySpanExporter()
            with configure(endpoint=None, project="benchmark", also=spans):
                plain = create_agent(
                    FunctionModel(function=speak), [langchain_tool(weigh)], system_prompt="Weigh.", checkpointer=saver
                )
                ours = project.agent("clerk", model=FunctionModel(function=speak))
                for number in range(conversations + 1):
                    for n in range(turns):
                        began = time.perf_counter()
                        given = {"messages": [{"role": "user", "content": "How heavy is the lamp?"}]}
                        await plain.ainvoke(given, {"configurable": {"thread_id": f"t{number}"}}, durability="sync")
                        between = time.perf_counter()
                        turn = await ours.ask("How heavy is the lamp?", thread=f"t{number}", session=Session())
                        ended = time.perf_counter()
                        assert turn.text == "It weighs 2 kg.", turn
                        spans.clear()
                        if number > 0:
                            seconds["plain"][n].append(between - began)
                            seconds["bailiwick"][n].append(ended - between)
                        elif n == 5:
                            break  # all is imported, compiled and warm
        return seconds, {"plain": kept(root / "plain.db"), "bailiwick": kept(root / ".bailiwick/state.db")}


def kept(file: Path) -> int:
    """Bytes that the last conversation's checkpoints came to."""
    with closing(sqlite3.connect(file)) as database:
        (thread,) = database.execute("SELECT max(thread_id) FROM checkpoints").fetchone()
        sums = (
            "SELECT sum(length(checkpoint) + length(metadata)) FROM checkpoints WHERE thread_id = ?",
            "SELECT sum(length(value)) FROM writes WHERE thread_id = ?",
        )
        return sum(database.execute(each, (thread,)).fetchone()[0] for each in sums)


def around(values: list[list[float]], turn: int) -> float:
    """The median of up to five turns around ``turn`` in all conversations, in milliseconds."""
    near = values[max(0, turn - 3) : turn + 2] if turn > 1 else values[:1]
    return round(statistics.median(each for of_turn in near for each in of_turn) * 1000, 2)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--turns", type=int, default=100)
    arguments.add_argument("--conversations", type=int, default=5)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    seconds, size = asyncio.run(measure(given.turns, given.conversations))
    rows = [
        {
            "turn": turn,
            "plain_ms": around(seconds["plain"], turn),
            "bailiwick_ms": around(seconds["bailiwick"], turn),
            "ratio": round(around(seconds["bailiwick"], turn) / around(seconds["plain"], turn), 2),
        }
        for turn in (1, 20, 100)
        if turn <= given.turns
    ]
    if given.json:
        print(json.dumps({"turns": rows, "bytes": size}))
        return
    print("turn   plain ms   bailiwick ms   ratio")
    for row in rows:
        print(f"{row['turn']:>4}   {row['plain_ms']:>8}   {row['bailiwick_ms']:>12}   {row['ratio']:>5}")
    print(f"checkpoints of one conversation: plain {size['plain']:,} bytes, bailiwick {size['bailiwick']:,}")


if __name__ == "__main__":
    main()
