"""langgraph.json names the agent for servers that speak LangGraph's API: they load the file and call its factory."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from bailiwick import Session

pytestmark = pytest.mark.bubblewrap
ROOT = Path(__file__).resolve().parents[2]


async def test_the_named_factory_gives_a_graph_that_answers(
    project_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAILIWICK_SANDBOX", "bubblewrap")
    where, _, variable = json.loads((ROOT / "langgraph.json").read_text())["graphs"]["support"].partition(":")
    spec = importlib.util.spec_from_file_location("served_support", project_root / where)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    factory: Any = getattr(module, variable)
    given = {"messages": [{"role": "user", "content": "Where is my order ORD-000131?"}]}
    async with factory({}) as graph:
        assert graph.checkpointer is None  # the server brings its own
        graph.checkpointer = InMemorySaver()
        config = {"configurable": {"thread_id": "t"}}
        state = await graph.ainvoke(given, config, context=Session(user_id="C-1001"))
        assert "JD0163" in state["answer"]["text"]
        # A server sends the context as JSON; who speaks is the same.
        state = await graph.ainvoke(given, config, context={"user_id": "C-1002"})
        assert "could not find that order" in state["answer"]["text"]
    async with factory({}) as again:
        assert again is graph
