"""A graph says which tools a state offers: the model is told of no others, and a call of another is denied as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.graph import END, START, StateGraph

from bailiwick import FunctionModel, Nodes, Session, State, Toolbox
from bailiwick.errors import ConfigError
from bailiwick.testing import ScriptedSandbox
from bailiwick.toolbox import AgentTools, record_of

POLICY = """
version: 1
tool: {name}
effect: read
output: {{trust: trusted}}
rules: [{{id: free, decision: allow, agents: [desk], reason: r}}]
"""


TRACED = """
version: 1
tool: act
effect: read
rules: [{id: free, decision: allow, agents: [desk], args: {number: {optional: true, from: [knowledge]}}, reason: r}]
"""


def look() -> str:
    """Look."""
    return "looked"


def act(number: str = "") -> str:
    """Act."""
    return "acted"


@pytest.fixture
def toolbox(tmp_path: Path) -> Any:
    for folder in ("tools", "policies"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tools/all.py").write_text("# scripted\n")
    for name in ("look", "act"):
        (tmp_path / f"policies/{name}.yaml").write_text(POLICY.format(name=name))
    sandbox = ScriptedSandbox({"look": look, "act": act})
    opened = Toolbox.open(tmp_path / "tools", policies=tmp_path / "policies", sandbox=sandbox)
    yield opened
    opened.close()


def asking(name: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": {}, "id": f"call-{name}", "type": "tool_call"}])


class Script:
    """A model that says these messages in turn, and the tools that it was offered each time."""

    def __init__(self, *messages: AIMessage) -> None:
        self.offers: list[list[str]] = []
        self._messages = messages
        self.model = FunctionModel(function=self._speak, model_name="script")

    def _speak(self, messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
        self.offers.append([tool["function"]["name"] if "function" in tool else tool["name"] for tool in tools])
        return self._messages[len(self.offers) - 1]


def nodes(toolbox: Toolbox, script: Script, *tools: str) -> Nodes:
    offered = AgentTools(toolbox=toolbox, agent="desk", offered=frozenset(tools or ("look", "act")))
    return Nodes(agent="desk", model=script.model, instructions="Help.", tools=offered)


def loop(bound: Nodes) -> Any:
    graph = StateGraph(State, context_schema=Session)
    graph.add_node("think", bound.think)
    graph.add_node("act", bound.act)
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", bound.after_think, ["act", END])
    graph.add_edge("act", "think")
    return graph.compile()


def records(state: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    found = [record_of(each) for each in state["messages"] if isinstance(each, ToolMessage)]
    return [(each.tool, each.outcome, each.key) for each in found if each is not None]


async def test_a_state_offers_some_and_denies_the_others(toolbox: Toolbox) -> None:
    script = Script(asking("look"), asking("act"), AIMessage("done"))
    state = await loop(nodes(toolbox, script).offering("look")).ainvoke({"messages": [HumanMessage("hi")]})
    assert script.offers == [["look"]] * 3
    assert records(state) == [("look", "ok", ""), ("act", "denied", "offered")]
    (reply,) = (each for each in state["messages"] if isinstance(each, ToolMessage) and each.name == "act")
    assert reply.text == "Not allowed: act is not available at this point. Use only the tools you were offered."


async def test_what_is_offered_may_depend_on_the_state(toolbox: Toolbox) -> None:
    def once_looked(state: Mapping[str, Any]) -> list[str]:
        return ["act"] if any(isinstance(each, ToolMessage) for each in state["messages"]) else []

    script = Script(asking("act"), asking("look"), asking("act"), AIMessage("done"))
    bound = nodes(toolbox, script).offering("look", when=once_looked)
    state = await loop(bound).ainvoke({"messages": [HumanMessage("hi")]})
    assert script.offers == [["look"], ["look", "act"], ["look", "act"], ["look", "act"]]
    assert records(state) == [("act", "denied", "offered"), ("look", "ok", ""), ("act", "ok", "")]


async def test_two_states_of_one_graph_each_hold_to_their_own(toolbox: Toolbox) -> None:
    script = Script(asking("act"), AIMessage("on"), asking("look"), asking("act"), AIMessage("done"))
    first = nodes(toolbox, script).offering("look", act="look_up")
    second = nodes(toolbox, script).offering("act", act="do")
    graph = StateGraph(State, context_schema=Session)
    graph.add_node("plan", first.think)
    graph.add_node("look_up", first.act)
    graph.add_node("work", second.think)
    graph.add_node("do", second.act)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", first.after_think, {"look_up": "look_up", END: "work"})
    graph.add_edge("look_up", "plan")
    graph.add_conditional_edges("work", second.after_think, {"do": "do", END: END})
    graph.add_edge("do", "work")
    state = await graph.compile().ainvoke({"messages": [HumanMessage("hi")]})
    assert script.offers == [["look"], ["look"], ["act"], ["act"], ["act"]]
    assert records(state) == [("act", "denied", "offered"), ("look", "denied", "offered"), ("act", "ok", "")]


async def test_a_state_never_offers_more_than_the_agent_has(toolbox: Toolbox) -> None:
    script = Script(asking("act"), AIMessage("done"))
    bound = nodes(toolbox, script, "look").offering(when=lambda _: ["look", "act"])
    state = await loop(bound).ainvoke({"messages": [HumanMessage("hi")]})
    assert script.offers == [["look"], ["look"]]
    assert records(state) == [("act", "denied", "offered")]
    narrower = nodes(toolbox, script).offering("look").offering("look", "act")
    assert narrower.tools.offered_in({}) == {"look"}


async def test_passages_and_instructions_are_origins_of_their_own(toolbox: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "policies/act.yaml").write_text(TRACED)
    call: dict[str, Any] = {"name": "act", "type": "tool_call"}
    asked = [
        AIMessage("", tool_calls=[{**call, "args": {"number": number}, "id": f"call-{number}"}])
        for number in ("555-0100", "555-0200", "555-0300")
    ]
    bound = nodes(toolbox, Script(*asked, AIMessage("done")))
    bound = replace(bound, tools=replace(bound.tools, told="The director is at 555-0200."))
    passage = {"id": "p", "citation": "numbers.md", "text": "Reception is at 555-0100."}
    state = await loop(bound).ainvoke({"messages": [HumanMessage("ring them")], "passages": [passage]})
    found = [record_of(each) for each in state["messages"] if isinstance(each, ToolMessage)]
    assert [(each.decision, each.origins["number"]) for each in found if each is not None] == [
        ("allow", ["knowledge"]),
        ("ask", ["operator"]),
        ("ask", ["model"]),
    ]


def test_a_tool_that_the_agent_does_not_have_is_an_error_at_once(toolbox: Toolbox) -> None:
    with pytest.raises(ConfigError, match="offers 'lok', which is none of desk's tools"):
        nodes(toolbox, Script()).offering("lok")
