"""What a turn tells of its models: who answered in whose place, after what; and what broke off."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any, Literal

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rich.console import Console

from bailiwick import FunctionModel, Project
from bailiwick.agent import BrokenOff, Finished, Token
from bailiwick.cli.show import show_turn
from bailiwick.errors import ConfigError, ModelNotConfigured
from bailiwick.models import one_model, resolve_model
from bailiwick.sandbox import ScriptedSandbox
from bailiwick.testing import CassetteModel
from bailiwick.tracing import configure


class Busy(Exception):
    status_code = 503


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_model, "_backoff", lambda state: 0.01)


def down(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
    raise Busy("down")


def rules(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
    return AIMessage("By the rules.")


DOWN = FunctionModel(function=down, model_name="large")
MODES: tuple[Literal["record"], Literal["replay"]] = ("record", "replay")
RULES = FunctionModel(function=rules, model_name="rules", notice="Answered by rules.")


async def test_who_answers_in_anothers_place_is_named_with_its_notice(open_agent: Any) -> None:
    spans = InMemorySpanExporter()
    async with open_agent(model=DOWN, fallbacks=[RULES]) as clerk:
        with configure(endpoint=None, project="clerk", also=spans):
            turn = await clerk.ask("Hello", thread="t")
        state = await clerk.graph.aget_state({"configurable": {"thread_id": "t"}})
    assert (turn.outcome, turn.text, turn.model, turn.notice) == (
        "answered",
        "By the rules.",
        "rules",
        "Answered by rules.",
    )
    assert [line.split(", after")[0] for line in turn.tried] == [
        "large, attempt 1",
        "large, attempt 2",
        "large, attempt 3",
        "rules, attempt 1",
    ]
    told = state.values["messages"][-1].response_metadata["bailiwick"]
    assert (told["model"], tuple(told["tried"])) == ("rules", tuple(turn.tried))
    (chat,) = (each for each in spans.get_finished_spans() if each.name.startswith("chat "))
    assert chat.attributes is not None
    assert chat.attributes["llm.model_name"] == "rules"
    assert tuple(chat.attributes["bailiwick.model.tried"]) == tuple(turn.tried)  # pyright: ignore


async def test_a_model_that_answers_at_once_has_nothing_to_tell(open_agent: Any) -> None:
    async with open_agent(model=RULES, fallbacks=[DOWN]) as clerk:
        turn = await clerk.ask("Hello", thread="t")
        state = await clerk.graph.aget_state({"configurable": {"thread_id": "t"}})
    assert (turn.model, turn.tried) == ("rules", ())
    assert "bailiwick" not in state.values["messages"][-1].response_metadata


async def test_where_nobody_answers_the_turn_and_its_span_say_what_was_tried(open_agent: Any) -> None:
    spans = InMemorySpanExporter()
    async with open_agent(model=DOWN) as clerk:
        with configure(endpoint=None, project="clerk", also=spans):
            turn = await clerk.ask("Hello", thread="t")
    assert (turn.outcome, turn.model) == ("failed", "large")
    assert "attempts: 3" in turn.error
    (chat,) = (each for each in spans.get_finished_spans() if each.name.startswith("chat "))
    assert chat.attributes is not None
    assert len(chat.attributes["bailiwick.model.tried"]) == 3  # pyright: ignore


async def test_words_that_broke_off_are_taken_back_in_the_stream(open_agent: Any, serve: Any, reply: Any) -> None:
    serve(reply(text="one two three", stall=30), reply(text="four five"))
    async with open_agent(model=resolve_model("openai:served"), limits="stall_seconds=0.3") as clerk:
        events = [event async for event in clerk.stream("Hello", thread="t")]
    kinds = [type(event) for event in events if isinstance(event, (Token, BrokenOff))]
    assert kinds == [Token, BrokenOff, Token, Token]
    assert isinstance(events[-1], Finished)
    assert events[-1].turn.text == "four five"
    assert len(events[-1].turn.tried) == 2


CLERK = 'from bailiwick import Agent\n\nagent = Agent(instructions="Help.", graph="loop", {more})\n'


@pytest.fixture
def project(tmp_path: Any, open_agent: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("BAILIWICK_MODEL", "openai:served")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    for file in (*(tmp_path / "tools").glob("*.py"), *(tmp_path / "policies").glob("*.yaml")):
        file.unlink()

    def declare(more: str) -> Any:
        (tmp_path / "agents/clerk.py").write_text(CLERK.format(more=more))
        return Project.open(tmp_path, sandbox=ScriptedSandbox({}), phoenix=None)

    return declare


async def test_offline_rules_stand_in_when_the_model_is_down(
    project: Any, tmp_path: Any, serve: Any, reply: Any
) -> None:
    serve(reply(status=400))
    (tmp_path / "agents/by_rules.py").write_text(
        "from langchain_core.messages import AIMessage\nfrom bailiwick import FunctionModel\n\n"
        'model = FunctionModel(function=lambda m, t: AIMessage("Rules."), model_name="rules", notice="By rules.")\n'
    )
    async with project('offline="by_rules", fallbacks=("offline",), tools=()') as opened:
        turn = await opened.agent("clerk").ask("Hello", thread="t")
    assert (turn.text, turn.notice) == ("Rules.", "By rules.")


@pytest.mark.names_outside
async def test_a_fallback_that_cannot_be_had_is_told_at_the_start(project: Any) -> None:
    async with project('fallbacks=("offline",), tools=()') as opened:
        with pytest.raises(ConfigError, match=r"agents/clerk.py.*fallbacks"):
            opened.agent("clerk")
    async with project('fallbacks=("nobody:x",), tools=()') as opened:
        with pytest.raises(ModelNotConfigured, match="nobody:x"):
            opened.agent("clerk")


async def test_what_was_tried_is_shown_at_a_terminal(open_agent: Any) -> None:
    async with open_agent(model=DOWN, fallbacks=[RULES]) as clerk:
        turn = await clerk.ask("Hello", thread="t")
    console = Console(record=True, width=200, file=StringIO())
    show_turn(console, turn)
    shown = console.export_text()
    assert "tried  large, attempt 3" in shown
    assert "Answered by rules." in shown


async def test_an_agents_turn_is_recorded_and_played_back(open_agent: Any, tmp_path: Any) -> None:
    file = tmp_path / "clerk.yaml"
    for mode in MODES:
        async with open_agent(model=CassetteModel(RULES, file=file, mode=mode)) as clerk:
            assert (await clerk.ask("Hello", thread=mode)).text == "By the rules."
    async with open_agent(model=CassetteModel(file=file)) as clerk:
        turn = await clerk.ask("Goodbye", thread="t")
    assert turn.outcome == "failed"
    assert "+  content: Goodbye" in turn.error
