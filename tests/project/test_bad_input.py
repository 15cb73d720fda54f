"""Bad input gives one clear error that names the file, the key and the fix, and the conversation is still there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bailiwick import BailiwickError, Project, Session
from bailiwick.errors import ConfigError, InputRefused, ModelNotConfigured, PolicyError, UnknownAgent
from bailiwick.project import find_root

pytestmark = pytest.mark.bubblewrap


async def opening_fails(root: Path) -> BailiwickError:
    with pytest.raises(BailiwickError) as caught:
        async with Project.open(root, sandbox="bubblewrap"):
            pass
    return caught.value


async def test_an_unknown_agent(project_root: Path) -> None:
    async with Project.open(project_root, sandbox="bubblewrap") as project:
        with pytest.raises(UnknownAgent, match=r"no agent 'suport' \(there are: support"):
            project.agent("suport")


async def test_an_agent_that_names_a_tool_which_does_not_exist(project_root: Path) -> None:
    file = project_root / "agents/support.py"
    file.write_text(file.read_text().replace('"lookup_order"', '"lookup_ordre"'))
    async with Project.open(project_root, sandbox="bubblewrap") as project:
        with pytest.raises(ConfigError, match=r"agents/support\.py: tools: there is no tool 'lookup_ordre'"):
            project.agent("support")


async def test_an_agent_file_that_does_not_import(project_root: Path) -> None:
    (project_root / "agents/support.py").write_text("from bailiwick import Agent\n\nagent = Agent(graf='support')\n")
    async with Project.open(project_root, sandbox="bubblewrap") as project:
        with pytest.raises(ConfigError, match=r"agents/support\.py:3: it cannot be imported: TypeError"):
            project.agent("support")


async def test_a_policy_with_a_typo_in_a_key(project_root: Path) -> None:
    file = project_root / "policies/find_orders.yaml"
    file.write_text(file.read_text().replace("  limits:", "  limit:"))
    error = await opening_fails(project_root)
    assert isinstance(error, PolicyError)
    assert error.file == str(file)
    assert error.line == next(n for n, line in enumerate(file.read_text().splitlines(), 1) if "limit:" in line)
    assert "limits" in (error.fix or "")


async def test_a_policy_for_a_tool_that_does_not_exist(project_root: Path) -> None:
    file = project_root / "policies/find_orders.yaml"
    (project_root / "policies/find_ordres.yaml").write_text(file.read_text().replace("find_orders", "find_ordres"))
    error = await opening_fails(project_root)
    assert isinstance(error, PolicyError)
    assert "find_ordres.yaml" in str(error)
    assert "defines a tool 'find_ordres'" in str(error)


async def test_a_tool_without_a_policy(project_root: Path) -> None:
    (project_root / "policies/find_orders.yaml").unlink()
    error = await opening_fails(project_root)
    assert isinstance(error, PolicyError)
    assert "the tool 'find_orders' has no policy" in str(error)
    assert "find_orders.yaml" in (error.fix or "")


async def test_a_tool_file_that_does_not_import(project_root: Path) -> None:
    (project_root / "tools/shipping.py").write_text("import numpy\n")
    error = await opening_fails(project_root)
    assert "tools/shipping.py" in str(error)
    assert "numpy" in str(error)


@pytest.mark.parametrize(
    ("question", "says"),
    [("", "empty"), ("   \n", "empty"), ("x" * 2_000_000, "2000000 characters"), ("a\x00b", "control character")],
)
async def test_a_question_that_is_empty_too_long_or_no_text(project_root: Path, question: str, says: str) -> None:
    async with Project.open(project_root, sandbox="bubblewrap") as project:
        live = project.agent("support")
        with pytest.raises(InputRefused, match=says):
            await live.ask(question, thread="t")
        # Nothing of it was stored, and the conversation goes on.
        turn = await live.ask("Where is my order ORD-000131?", thread="t", session=Session(user_id="C-1001"))
        assert turn.outcome == "answered"


async def test_no_model_and_no_rules(project_root: Path) -> None:
    file = project_root / "agents/support.py"
    file.write_text(file.read_text().replace('    offline="offline",\n', ""))
    async with Project.open(project_root, sandbox="bubblewrap") as project:
        with pytest.raises(ModelNotConfigured, match="BAILIWICK_MODEL"):
            project.agent("support")


def test_no_project_here(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Bailiwick project is here or above"):
        find_root(tmp_path)
