"""``bailiwick prompts``, as a person at a terminal uses it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bailiwick.cli.app import app
from bailiwick.database import open_database
from bailiwick.prompts import PromptStore

AGENT = 'from bailiwick import Agent\n\nagent = Agent(instructions="{}", graph="loop")\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose agent was told two things by now, and is about to be told a third."""
    for folder in ("agents", "tools", "policies"):
        (tmp_path / folder).mkdir()
    database = open_database(tmp_path / ".bailiwick/state.db")
    store = PromptStore(database)
    store.declare("clerk", "Be brief.\nSay please.\n", origin="agents/clerk.py")
    store.declare("clerk", "Be kind.\nSay please.\n", origin="agents/clerk.py")
    database.close()
    (tmp_path / "agents/clerk.py").write_text(AGENT.format("Be wise."))
    return tmp_path


def run(project: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["prompts", *words, "--project", str(project)])


def test_list_marks_what_is_in_force_and_tells_what_is_not_yet(project: Path) -> None:
    lines = run(project, "list").stdout.splitlines()
    assert re.match(r"  clerk@1 +[0-9a-f]{12}  \d{4}-\d\d-\d\d .* agents/clerk.py$", lines[0])
    assert lines[1].startswith("* clerk@2")
    assert "never used" in lines[2]
    (project / "agents/clerk.py").unlink()
    assert "no longer declared" in run(project, "list", "clerk").stdout


def test_show_and_diff_find_a_version_by_number_and_by_digest(project: Path) -> None:
    assert run(project, "show", "clerk").stdout == "Be kind.\nSay please.\n"
    assert run(project, "show", "clerk@1").stdout == "Be brief.\nSay please.\n"
    told = json.loads(run(project, "show", "clerk@1", "--json").stdout)
    assert (told["version"], told["in_force"]) == (1, False)
    assert run(project, "show", f"clerk@{told['digest'][:10]}").stdout == "Be brief.\nSay please.\n"
    assert run(project, "diff", "clerk").stdout.splitlines()[:2] == ["--- clerk@1", "+++ clerk@2"]
    assert "-Be kind." in run(project, "diff", "clerk", "2", "1").stdout


def test_a_rollback_is_a_version_of_its_own_and_says_so(project: Path) -> None:
    done = run(project, "rollback", "clerk", "1", "--reason", "too kind")
    assert done.stdout == "clerk@3 is in force: the text of version 1.\n"
    listed = run(project, "list").stdout
    assert "(too kind)" in listed
    assert "clerk@3 is in force by rollback to 1; what is declared is version 2" in listed
    assert json.loads(run(project, "list", "--json").stdout)["clerk"][2]["reason"] == "too kind"


@pytest.mark.parametrize("words", [("show", "shop"), ("show", "clerk@9"), ("rollback", "clerk", "9"), ("list", "shop")])
def test_what_is_not_there_is_an_error_with_what_is(project: Path, words: tuple[str, ...]) -> None:
    done = run(project, *words)
    assert done.exit_code == 2
    assert "clerk" in done.stderr
    assert "fix:" in done.stderr
