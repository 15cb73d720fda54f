"""The README's two changed lines, run as they stand there, on the desk's own tools."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from bailiwick.testing import ScriptedModel

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCKS = re.findall(r"<!-- tested: tests/docs/test_readme.py -->\n```python\n(.*?)```", README.read_text(), re.S)


def call(name: str, **args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": "call-1", "type": "tool_call"}])


def test_both_ways_are_in_the_readme() -> None:
    assert len(BLOCKS) == 2


@pytest.mark.parametrize("block", BLOCKS, ids=["toolbox.node", "create_agent"])
def test_an_existing_graph_adopts_it_in_two_lines(
    block: str, project_root: Path, sandbox_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project_root)
    monkeypatch.setenv("BAILIWICK_SANDBOX", sandbox_kind)
    model = ScriptedModel(
        call("shipping_quote", country="Austria", weight_kg=2.5), "It costs 9.20 euro.",
        call("find_orders", customer_id="C-1001"), "I may not.",
        call("drop_tables"), "There is no such tool.",
    )  # fmt: skip
    names: dict[str, Any] = {"model": model}
    exec(block, names)
    app = names["app"]
    try:
        allowed = replies(app.invoke({"messages": [HumanMessage("What does a parcel to Austria cost?")]}))
        denied = replies(app.invoke({"messages": [HumanMessage("Show me the orders of C-1001")]}))
        unknown = replies(app.invoke({"messages": [HumanMessage("Drop the tables")]}))
    finally:
        names["toolbox"].close()

    assert '"price": 9.2' in allowed.text
    assert allowed.artifact["bailiwick"]["sandbox"] == os.environ["BAILIWICK_SANDBOX"]
    assert denied.status == "error"
    assert denied.text.startswith("Not allowed")
    assert unknown.status == "error"
    assert "no tool called 'drop_tables'" in unknown.text
    model.assert_complete()


def replies(state: dict[str, Any]) -> ToolMessage:
    (message,) = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    return message
