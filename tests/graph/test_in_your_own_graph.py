"""The shipped nodes in graphs of somebody else: beside other nodes, inside other graphs, streamed, looped."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Annotated, Any, NotRequired

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.stream.transformers import CustomTransformer
from langgraph.types import Command

from bailiwick import FunctionModel, Nodes, Session, State, Toolbox
from bailiwick.testing import ScriptedModel, ScriptedSandbox
from bailiwick.toolbox import AgentTools, record_of

LEAD = {"user_id": "mara", "roles": ["lead"]}
CONFIG: Any = {"configurable": {"thread_id": "t"}}
POLICIES = {
    "look": "effect: read\nrules: [{id: own, decision: allow, agents: [desk], args: {order: {}}, reason: r}]",
    "mine": "effect: read\nrules: [{id: own, decision: allow, agents: [desk], "
    "args: {who: {equals: $session.user_id}}, reason: r}]",
    "pay_back": "effect: write\nrules: [{id: lead, decision: ask, agents: [desk], args: {order: {}}, "
    'approval: {by: ["role:lead"]}, reason: a lead decides}]',
    "broken": "effect: read\nrules: [{id: any, decision: allow, agents: [desk], reason: r}]",
}


class Ran(list[str]):
    """The names of the tools that ran."""

    def look(self, order: str) -> str:
        """Look an order up."""
        self.append("look")
        return f"{order} was paid with 30"

    def mine(self, who: str) -> str:
        """What is mine."""
        self.append("mine")
        return who

    def pay_back(self, order: str) -> str:
        """Pay back."""
        self.append("pay_back")
        return "paid back"

    def broken(self) -> str:
        """Break."""
        self.append("broken")
        raise RuntimeError("it is broken")


@pytest.fixture
def ran() -> Ran:
    return Ran()


@pytest.fixture
async def toolbox(tmp_path: Path, ran: Ran) -> AsyncGenerator[Toolbox]:
    for folder in ("tools", "policies"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tools/all.py").write_text("# scripted\n")
    for name, text in POLICIES.items():
        (tmp_path / f"policies/{name}.yaml").write_text(
            f"version: 1\ntool: {name}\noutput: {{trust: trusted}}\n{text}\n"
        )
    opened = await Toolbox.aopen(
        tmp_path / "tools",
        policies=tmp_path / "policies",
        sandbox=ScriptedSandbox({name: getattr(ran, name) for name in POLICIES}),
        ledger=tmp_path / "state.db",
        agent="desk",
    )
    yield opened
    await opened.aclose()


def nodes(toolbox: Toolbox, model: Any, **more: Any) -> Nodes:
    tools = AgentTools(toolbox=toolbox, agent="desk", offered=frozenset(POLICIES))
    return Nodes(agent="desk", model=model, instructions="Help.", tools=tools, **more)


def loop(bound: Nodes, state: type = State, context: type = Session) -> StateGraph[Any, Any, Any, Any]:
    graph = StateGraph(state, context_schema=context)
    graph.add_node("think", bound.think)
    graph.add_node("act", bound.act)
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", bound.after_think, ["act", END])
    graph.add_edge("act", "think")
    return graph


def start(text: str = "please") -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


def outcomes(state: Any) -> list[tuple[str, str]]:
    found = [record_of(each) for each in state["messages"] if isinstance(each, ToolMessage)]
    return [(each.tool, each.outcome) for each in found if each is not None]


# beside nodes and state of one's own


class Noted(State):
    mood: NotRequired[str]
    log: Annotated[list[str], lambda old, new: [*old, *new]]


async def test_beside_nodes_and_state_of_ones_own(toolbox: Toolbox, asks: Any) -> None:
    async def feel(state: Noted) -> dict[str, Any]:
        return {"mood": "angry" if "!" in state["messages"][-1].text else "calm", "log": ["felt"]}

    async def soothe(state: Noted) -> dict[str, Any]:
        return {"messages": [AIMessage("I am sorry.")], "log": ["soothed"]}

    bound = nodes(toolbox, ScriptedModel(asks(("look", {"order": "O-1"})), "30."))
    graph = StateGraph(Noted, context_schema=Session)
    graph.add_node("feel", feel)
    graph.add_node("soothe", soothe)
    graph.add_node("think", bound.think)
    graph.add_node("act", bound.act)
    graph.add_edge(START, "feel")
    graph.add_conditional_edges("feel", lambda state: "soothe" if state["mood"] == "angry" else "think")
    graph.add_conditional_edges("think", bound.after_think, ["act", END])
    graph.add_edge("act", "think")
    app = graph.compile(checkpointer=InMemorySaver())

    state = await app.ainvoke(start("What did it cost?"), CONFIG)
    assert (state["answer"]["text"], state["mood"], state["log"]) == ("30.", "calm", ["felt"])
    state = await app.ainvoke(start("Outrageous!"), CONFIG)
    assert (state["messages"][-1].text, state["log"]) == ("I am sorry.", ["felt", "felt", "soothed"])


async def test_in_a_state_that_knows_messages_alone(toolbox: Toolbox, ran: Ran, asks: Any) -> None:
    bound = nodes(toolbox, ScriptedModel(asks(("look", {"order": "O-1"})), "30."))
    state = await loop(bound, MessagesState).compile().ainvoke(start())
    assert (state["messages"][-1].text, list(ran)) == ("30.", ["look"])


# inside another graph


class Outer(State):
    ticket: NotRequired[str]


@pytest.mark.parametrize("own", [None, True], ids=["the outer graph's checkpointer", "a memory of its own"])
@pytest.mark.parametrize("called", [False, True], ids=["as a node", "called by a node"])
async def test_inside_another_graph_a_call_waits_and_runs_once(
    toolbox: Toolbox, ran: Ran, asks: Any, own: Any, called: bool
) -> None:
    script = [asks(("look", {"order": "O-1"}), ("pay_back", {"order": "O-1"})), "Paid back."]
    inner = loop(nodes(toolbox, ScriptedModel(*script))).compile(checkpointer=own)

    async def desk(state: Outer) -> dict[str, Any]:
        return {"messages": (await inner.ainvoke({"messages": state["messages"]}))["messages"]}

    graph = StateGraph(Outer, context_schema=Session)
    graph.add_node("number", lambda state: {"ticket": "T-1"})
    graph.add_node("desk", desk if called else inner)
    graph.add_edge(START, "number")
    graph.add_edge("number", "desk")
    graph.add_edge("desk", END)
    app = graph.compile(checkpointer=InMemorySaver())

    (question,) = (await app.ainvoke(start(), CONFIG))["__interrupt__"]
    assert (question.value["action_requests"][0]["name"], list(ran)) == ("pay_back", ["look"])
    answer = {"decisions": [{"type": "approve", "by": LEAD}]}
    state = await app.ainvoke(Command(resume={question.id: answer}), CONFIG)
    assert (state["ticket"], state["messages"][-1].text) == ("T-1", "Paid back.")
    assert outcomes(state) == [("look", "ok"), ("pay_back", "ok")]
    assert list(ran) == ["look", "pay_back"]


# streamed


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
async def test_streamed_by_the_newest_events_it_gives_words_values_and_calls(
    toolbox: Toolbox, asks: Any, spoken: Any
) -> None:
    app = loop(nodes(toolbox, spoken(asks(("look", {"order": "O-1"})), "It cost 30."))).compile()
    run = await app.astream_events(start(), version="v3", transformers=[CustomTransformer])
    words, calls, last = "", [], {}
    async for event in run:
        data = event["params"]["data"]
        match event["method"]:
            case "messages" if data[0].get("delta", {}).get("type") == "text-delta":
                words += data[0]["delta"]["text"]
            case "custom" if "call" in data:
                calls.append((data["call"]["tool"], data["call"]["outcome"]))
            case "values":
                last = data
            case _:
                pass
    assert (words.strip(), calls) == ("It cost 30.", [("look", "ok")])
    assert last["answer"]["text"].strip() == "It cost 30."


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
async def test_a_graph_inside_is_streamed_too(toolbox: Toolbox, asks: Any, spoken: Any) -> None:
    graph = StateGraph(State, context_schema=Session)
    graph.add_node("desk", loop(nodes(toolbox, spoken(asks(("look", {"order": "O-1"})), "It cost 30."))).compile())
    graph.add_edge(START, "desk")
    run = await graph.compile().astream_events(start(), version="v3", transformers=[CustomTransformer])
    seen = [(event["method"], bool(event["params"]["namespace"])) async for event in run]
    assert {("messages", True), ("custom", True), ("values", False)} <= set(seen)


# who is speaking


@dataclasses.dataclass(frozen=True)
class Visitor:
    user_id: str
    language: str = "en"


@pytest.mark.parametrize(("visitor", "outcome"), [("C-1", "ok"), ("C-2", "denied")])
async def test_a_context_of_ones_own_says_who_is_speaking(
    toolbox: Toolbox, asks: Any, visitor: str, outcome: str
) -> None:
    model = ScriptedModel(asks(("mine", {"who": "C-1"})), "done")
    app = loop(nodes(toolbox, model), context=Visitor).compile()
    state = await app.ainvoke(start(), context=Visitor(user_id=visitor))
    assert outcomes(state) == [("mine", outcome)]
    assert f"You are speaking with {visitor}." in model.requests[0][0].text


# what goes wrong


async def test_a_failing_tool_never_ends_a_turn_by_itself(toolbox: Toolbox, ran: Ran, asks: Any) -> None:
    model = ScriptedModel(asks(("broken", {}), ("look", {"order": "O-1"})), asks(("broken", {})), "It is broken.")
    state = await loop(nodes(toolbox, model)).compile().ainvoke(start())
    assert outcomes(state) == [("broken", "error"), ("look", "ok"), ("broken", "error")]
    assert "it is broken" in model.requests[-1][-1].text
    assert state["answer"]["outcome"] == "answered"


async def test_a_model_that_never_stops_is_stopped_by_the_stated_number_of_requests(
    toolbox: Toolbox, asks: Any
) -> None:
    def speak(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
        return asks(("look", {"order": "O-1"})) if tools else AIMessage("So far: 30.")

    state = await loop(nodes(toolbox, FunctionModel(function=speak), max_steps=4)).compile().ainvoke(start())
    assert state["answer"] == {"text": "So far: 30.", "citations": [], "outcome": "limit"}
    assert len(outcomes(state)) == 3


ROUND = """
from langgraph.graph import START, StateGraph
from bailiwick import Session, State

def build(nodes):
    graph = StateGraph(State, context_schema=Session)
    graph.add_node("think", nodes.think)
    graph.add_node("act", nodes.act)
    graph.add_node("again", lambda state: {})
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", lambda state: [*nodes.after_think(state)] if state["messages"][-1].tool_calls
                                else "again", ["act", "again"])
    graph.add_edge("act", "think")
    graph.add_edge("again", "again")
    return graph
"""


async def test_a_graph_that_goes_round_and_round_is_a_turn_that_says_what_it_did(
    open_project: Any, shop: Any, asks: Any, tmp_path: Path
) -> None:
    async with open_project(desk={"graph": "round", "tools": ("look",), "max_steps": 3}) as project:
        (tmp_path / "graphs/round.py").write_text(ROUND)
        script = [asks(("look", {"order": "O-1"})), "It cost 30."]
        live = project.agent("desk", model=ScriptedModel(*script, *script))
        turn = await live.ask("What did O-1 cost?", thread="t")
        assert (turn.outcome, turn.text) == ("limit", "It cost 30.")
        assert turn.error.startswith("the graph was stopped at its limit of 12 steps; done so far: look (ok)")
        assert [(call.tool, call.outcome) for call in turn.calls] == [("look", "ok")]
        # The conversation is kept, and what ran does not run again in the next turn.
        turn = await live.ask("And O-1?", thread="t")
        assert (turn.outcome, shop.ran) == ("limit", [("look", "O-1"), ("look", "O-1")])


# LangChain's agent


async def test_as_middleware_of_langchains_agent_with_a_thread_and_a_person(
    toolbox: Toolbox, ran: Ran, asks: Any
) -> None:
    model = ScriptedModel(asks(("look", {"order": "O-1"}), ("pay_back", {"order": "O-1"})), "done")
    app = create_agent(
        model,
        toolbox.tools,
        middleware=[toolbox.middleware()],
        context_schema=Session,
        checkpointer=InMemorySaver(),
    )
    (question,) = (await app.ainvoke(start(), CONFIG))["__interrupt__"]
    answer = {"decisions": [{"type": "approve", "by": LEAD}]}
    state = await app.ainvoke(Command(resume={question.id: answer}), CONFIG)
    assert (outcomes(state), list(ran)) == ([("look", "ok"), ("pay_back", "ok")], ["look", "pay_back"])
