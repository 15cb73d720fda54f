"""An agent's graph to be looked at: nothing of it can run, so it needs no model, no key, no tool and no sandbox."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph.state import CompiledStateGraph

from bailiwick.agent import Agent
from bailiwick.graph import Nodes
from bailiwick.models import FunctionModel
from bailiwick.project.declarations import check_specialists, load_agent, load_graph, purpose_of
from bailiwick.project.layout import Layout
from bailiwick.sandbox import ScriptedSandbox
from bailiwick.toolbox import AgentTools, Toolbox

__all__ = ["graph_to_look_at"]


def graph_to_look_at(layout: Layout, name: str) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The graph of the agent ``name``, compiled. Raises UnknownAgent, and ConfigError for what its files have wrong."""
    declared = load_agent(layout, name)
    check_specialists(layout, name, declared)
    # It knows no tool, and the sandbox under it can run none.
    nothing = Toolbox((), sandbox=ScriptedSandbox({}))
    try:
        nodes = _nodes(name, declared, nothing)
        specialists = {each: _nodes(each, load_agent(layout, each), nothing) for each in declared.specialists}
        graph = load_graph(layout, name, declared.graph)(replace(nodes, specialists=specialists))
        return graph.compile(name=name)  # pyright: ignore[reportUnknownMemberType]  **kwargs
    finally:
        nothing.close()


def _nodes(name: str, declared: Agent, toolbox: Toolbox) -> Nodes:
    return Nodes(
        agent=name,
        model=FunctionModel(function=lambda messages, tools: AIMessage("")),
        instructions=declared.text,
        tools=AgentTools(toolbox=toolbox, agent=name, offered=frozenset(declared.tools)),
        max_steps=declared.max_steps,
        purpose=purpose_of(declared),
    )
