"""What was found is graded before it is answered from; what does not help is searched for again, and given up on."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage

from bailiwick import FunctionModel, LiveAgent, Project
from bailiwick.agent import Token
from bailiwick.testing import ScriptedModel

NOTHING = "I searched our documents, also in other words, and found nothing that answers this."
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def open_desk(open_project: Any, tmp_path: Path) -> Callable[..., Any]:
    """The desk with two documents: one on returning lanterns, one on washing blankets."""
    (tmp_path / "knowledge/returns.md").write_text("# Returns\n\nA lantern may be returned within 30 days.\n")
    (tmp_path / "knowledge/care.md").write_text("# Care\n\nA blanket of wool is washed by hand, never hot.\n")

    @asynccontextmanager
    async def open_(model: Any, **declared: Any) -> AsyncGenerator[LiveAgent]:
        project: Project
        async with open_project(desk={"graph": "corrective", "tools": ("look",), **declared}) as project:
            await asyncio.to_thread(project.knowledge.ingest, [tmp_path / "knowledge"])
            yield project.agent("desk", model=model)

    return open_


def system(messages: Sequence[BaseMessage]) -> str:
    return messages[0].text


async def test_what_helps_is_answered_from(open_desk: Any) -> None:
    model = ScriptedModel("[1]", "Within 30 days [1].")
    async with open_desk(model) as desk:
        turn = await desk.ask("How long may a lantern be returned?", thread="t")
    model.assert_complete()
    assert (turn.outcome, turn.text) == ("answered", "Within 30 days [1].")
    assert [cited["citation"].partition(",")[0] for cited in turn.citations] == ["returns.md"]
    assert "may be returned" in system(model.requests[0])
    assert "How long may a lantern be returned?" in model.requests[0][-1].text


async def test_passages_that_do_not_help_are_not_told_to_the_model_that_answers(open_desk: Any) -> None:
    graded: list[str] = []

    def speak(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
        if "judge search results" in system(messages):
            graded.extend(re.findall(r"^\[(\d)\] (\w+)\.md", system(messages), re.M))
            return AIMessage(" ".join(f"[{n}]" for n, name in graded if name == "care"))
        assert "30 days" not in system(messages)
        return AIMessage("By hand [1].")

    async with open_desk(FunctionModel(function=speak)) as desk:
        turn = await desk.ask("Is a blanket of wool returned or washed, and a lantern?", thread="t")
    assert {name for _, name in graded} == {"care", "returns"}
    assert [cited["citation"].partition(",")[0] for cited in turn.citations] == ["care.md"]


async def test_a_question_is_searched_for_in_other_words_and_answered_as_it_was_asked(open_desk: Any) -> None:
    model = ScriptedModel("NONE", '"blanket of wool washed by hand"\n', "[1]", "By hand [1].")
    async with open_desk(model) as desk:
        turn = await desk.ask("How do I get my lantern clean?", thread="t")
    assert (turn.text, [cited["citation"].partition(",")[0] for cited in turn.citations]) == (
        "By hand [1].",
        ["care.md"],
    )
    rewrite, answer = model.requests[1], model.requests[-1]
    assert "Searched for already: How do I get my lantern clean?" in system(rewrite)
    assert [message.text for message in answer if message.type == "human"] == ["How do I get my lantern clean?"]


async def test_after_two_other_searches_it_is_given_up_on_and_said_so(open_desk: Any) -> None:
    model = ScriptedModel("NONE", "lantern", "NONE", "blanket", "NONE")
    async with open_desk(model) as desk:
        turn = await desk.ask("May a lantern be washed by hand?", thread="t")
        model.assert_complete()
        assert (turn.outcome, turn.text, turn.citations) == ("answered", NOTHING, [])
        state = await desk.graph.aget_state({"configurable": {"thread_id": "t"}})
        assert state.values["searches"]["queries"] == ["lantern", "blanket"]


async def test_the_next_question_begins_anew(open_desk: Any) -> None:
    script = ["NONE", "lantern", "NONE", "blanket", "NONE", "[1]", "Within 30 days [1]."]
    model = ScriptedModel(*script)
    async with open_desk(model) as desk:
        await desk.ask("May a lantern be washed by hand?", thread="t")
        turn = await desk.ask("How long may a lantern be returned?", thread="t")
    model.assert_complete()
    assert turn.text == "Within 30 days [1]."


@pytest.mark.parametrize("grade", ["They all look fine to me.", "", "NONE of them, [1] is about lanterns", "[9]", "{}"])
async def test_a_grade_that_cannot_be_read_means_that_nothing_helps(open_desk: Any, grade: str) -> None:
    model = ScriptedModel(grade, "x", grade, "y", grade)
    async with open_desk(model, instructions="Help.") as desk:
        turn = await desk.ask("How long may a lantern be returned?", thread="t")
    assert turn.text == NOTHING


@pytest.mark.parametrize("grade", ["[1]", "1 helps: [1]", '{"relevant": [1]}', "```\n[1, 2]\n```", "[1],[2]"])
async def test_a_grade_is_read_however_it_is_wrapped(open_desk: Any, grade: str) -> None:
    model = ScriptedModel(grade, "30 days [1].")
    async with open_desk(model) as desk:
        turn = await desk.ask("How long may a lantern be returned?", thread="t")
    assert turn.text == "30 days [1]."


async def test_grades_and_queries_are_no_part_of_what_the_customer_hears(open_desk: Any, spoken: Any) -> None:
    model = spoken("NONE", "blanket of wool", "[1]", "By hand [1].")
    async with open_desk(model) as desk:
        events = [event async for event in desk.stream("How do I get my lantern clean?", thread="t")]
    assert "".join(event.text for event in events if isinstance(event, Token)).strip() == "By hand [1]."


async def test_its_requests_count_too(open_desk: Any) -> None:
    model = ScriptedModel("NONE")
    async with open_desk(model, max_steps=2) as desk:
        turn = await desk.ask("How long may a lantern be returned?", thread="t")
    model.assert_complete()
    assert turn.text == NOTHING


async def test_it_works_with_the_rules_where_no_model_is(open_desk: Any) -> None:
    spec = importlib.util.spec_from_file_location("offline_rules", ROOT / "agents/offline.py")
    assert spec is not None
    assert spec.loader is not None
    rules = importlib.util.module_from_spec(spec)
    sys.modules["offline_rules"] = rules
    spec.loader.exec_module(rules)
    async with open_desk(rules.model) as desk:
        turn = await desk.ask("How long may a lantern be returned?", thread="t")
        assert turn.text == "A lantern may be returned within 30 days. [1]"
        turn = await desk.ask("Who won the chess tournament in Reykjavik?", thread="t")
        assert turn.text == NOTHING
