"""Which text an agent was told to be, by number and content; and back to an earlier one while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bailiwick import FunctionModel, Project
from bailiwick.database import open_database
from bailiwick.errors import ConfigError, InputRefused
from bailiwick.prompts import PromptStore
from bailiwick.testing import ScriptedSandbox
from bailiwick.tracing import configure

GRAPH = Path(__file__).resolve().parents[2] / "graphs/answer_with_tools.py"
Open = Callable[..., AbstractAsyncContextManager[Project]]
ECHO = FunctionModel(function=lambda messages, tools: AIMessage(messages[0].text))
"""It says what it was told to be."""


@pytest.fixture
def open_project(tmp_path: Path, kept_in: str) -> Open:
    for folder in ("agents", "graphs", "tools", "policies"):
        (tmp_path / folder).mkdir()
    (tmp_path / "graphs/loop.py").write_text(GRAPH.read_text())

    @asynccontextmanager
    async def open_(instructions: str) -> AsyncGenerator[Project]:
        (tmp_path / "agents/clerk.py").write_text(
            "from pathlib import Path\nfrom bailiwick import Agent\n\n"
            f'agent = Agent(instructions={instructions}, graph="loop")\n'
        )
        database = kept_in if "://" in kept_in else None
        async with Project.open(tmp_path, sandbox=ScriptedSandbox(), phoenix=None, database=database) as project:
            yield project

    return open_


async def says(project: Project, **asked: Any) -> str:
    return (await project.agent("clerk", model=ECHO).ask("Hello", thread="t", **asked)).text


async def test_a_text_that_changes_is_a_new_version_and_the_same_one_is_not(open_project: Open) -> None:
    for text in ('"Be brief."', '"Be brief."', '"Be kind."', '"Be brief."'):
        async with open_project(text) as project:
            await says(project)
            versions = project.prompts.versions("clerk")
    assert [(each.number, each.text, each.origin) for each in versions] == [
        (1, "Be brief.", "agents/clerk.py"),
        (2, "Be kind.", "agents/clerk.py"),
        (3, "Be brief.", "agents/clerk.py"),
    ]
    assert versions[0].digest == versions[2].digest


async def test_a_running_agent_takes_up_a_rollback_with_its_next_turn(open_project: Open) -> None:
    async with open_project('"Be brief."') as project:
        await says(project)
    async with open_project('"Be kind."') as project:
        live = project.agent("clerk", model=ECHO)
        assert (await live.ask("Hello", thread="t")).text == "Be kind."
        project.prompts.rollback("clerk", 1, by="mara", reason="it was too kind")
        assert (await live.ask("Hello", thread="t")).text == "Be brief."
        newest = project.prompts.version("clerk")
        assert (newest.number, newest.origin, newest.by, newest.reason) == (
            3,
            "rollback to 1",
            "mara",
            "it was too kind",
        )


async def test_a_rollback_holds_until_another_text_is_declared(open_project: Open) -> None:
    for text in ('"Be brief."', '"Be kind."'):
        async with open_project(text) as project:
            await says(project)
    async with open_project('"Be kind."') as project:
        project.prompts.rollback("clerk", 1)
    async with open_project('"Be kind."') as project:
        assert await says(project) == "Be brief."
    async with open_project('"Be wise."') as project:
        assert await says(project) == "Be wise."
        assert project.prompts.version("clerk").number == 4


async def test_every_span_of_a_model_names_the_version_of_its_prompt(open_project: Open) -> None:
    spans = InMemorySpanExporter()
    async with open_project('"Be brief."') as project:
        live = project.agent("clerk", model=ECHO)
        with configure(endpoint=None, project="clerk", also=spans):
            await live.ask("Hello", thread="t")
        digest = project.prompts.version("clerk").digest
    (chat,) = (each for each in spans.get_finished_spans() if each.name.startswith("chat "))
    assert chat.attributes is not None
    assert {name: chat.attributes[name] for name in chat.attributes if "prompt." in name or "prompt_t" in name} == {
        "llm.prompt_template.version": "clerk@1",
        "bailiwick.prompt.name": "clerk",
        "bailiwick.prompt.version": 1,
        "bailiwick.prompt.digest": digest,
    }


async def test_a_prompt_is_a_file_of_the_project(open_project: Open, tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/clerk.md").write_text("Be brief.\r\nAnd kind.\r\n")
    async with open_project('Path("prompts/clerk.md")') as project:
        assert await says(project) == "Be brief.\nAnd kind."
        assert project.prompts.version("clerk").origin == "prompts/clerk.md"
    async with open_project('"Be brief.\\nAnd kind.\\n"') as project:
        await says(project)
        assert len(project.prompts.versions("clerk")) == 1, "how lines end makes no other text"


@pytest.mark.parametrize(
    ("place", "says_"), [("prompts/none.md", "cannot be read"), ("../outside.md", "outside of the project")]
)
async def test_a_file_that_is_not_to_be_had_is_one_clear_error(open_project: Open, place: str, says_: str) -> None:
    async with open_project(f'Path("{place}")') as project:
        with pytest.raises(ConfigError, match=says_) as wrong:
            project.agent("clerk", model=ECHO)
    assert "agents/clerk.py" in str(wrong.value)
    assert wrong.value.key == "instructions"


async def test_processes_that_declare_at_once_make_one_version(tmp_path: Path, kept_in: str) -> None:
    where = kept_in if "://" in kept_in else tmp_path / "state.db"

    def declare() -> int:
        database = open_database(where)
        try:
            return PromptStore(database).declare("clerk", "Be brief.", origin="x").number
        finally:
            database.close()

    assert await asyncio.gather(*(asyncio.to_thread(declare) for _ in range(8))) == [1] * 8


def test_what_is_not_there_is_told_with_what_is() -> None:
    store = PromptStore(open_database(None))
    with pytest.raises(InputRefused, match="no prompt 'clerk' is kept"):
        store.version("clerk")
    first = store.declare("clerk", "Be brief.", origin="x")
    with pytest.raises(InputRefused, match=r"no version 7 \(it has 1 to 1\)"):
        store.rollback("clerk", 7)
    assert store.version("clerk", first.digest[:10]) == first
    with pytest.raises(InputRefused, match="there are: clerk"):
        store.versions("shop")
