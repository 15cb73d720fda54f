"""A session of a tenant is told what the tenant's documents say, and nothing of another's."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, StateGraph

from bailiwick import FunctionModel, Nodes, Session, State
from bailiwick.errors import InputRefused
from bailiwick.retrieval import Knowledge


@pytest.fixture
def knowledge(tmp_path: Path):
    with Knowledge.open(tmp_path / "index") as knowledge:
        for tenant in ("", "acme", "globex"):
            folder = tmp_path / f"documents-{tenant}"
            folder.mkdir()
            (folder / "price.md").write_text(f"# Price\n\nThe price for {tenant or 'everybody'} is ninety euro.\n")
            (knowledge.for_tenant(tenant) if tenant else knowledge).ingest([folder])
        yield knowledge


async def found(knowledge: Knowledge, session: Session) -> list[str]:
    nodes = Nodes(
        agent="desk",
        model=FunctionModel(function=lambda *_: AIMessage("unused")),
        instructions="Help.",
        tools=None,  # type: ignore[arg-type]  nothing is called
        knowledge=knowledge,
    )
    graph = StateGraph(State, context_schema=Session)
    graph.add_node("retrieve", nodes.retrieve)
    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", END)
    state = await graph.compile().ainvoke({"messages": [HumanMessage("What is the price?")]}, context=session)
    return [passage["text"] for passage in state["passages"]]


@pytest.mark.parametrize(("tenant", "whose"), [("acme", "acme"), ("globex", "globex"), (None, "everybody")])
async def test_what_is_found_is_the_tenants(knowledge: Knowledge, tenant: str | None, whose: str) -> None:
    session = Session(values={"tenant": tenant} if tenant else {})
    assert await found(knowledge, session) == [f"The price for {whose} is ninety euro."]


async def test_a_tenant_that_has_nothing_finds_nothing(knowledge: Knowledge) -> None:
    assert await found(knowledge, Session(values={"tenant": "initech"})) == []


async def test_a_tenants_name_that_is_a_path_is_refused(knowledge: Knowledge) -> None:
    with pytest.raises(InputRefused):
        await found(knowledge, Session(values={"tenant": "../acme"}))
