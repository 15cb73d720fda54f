"""``bailiwick sandbox attack`` tells case by case what the sandbox on this machine is worth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bailiwick.cli import app
from bailiwick.sandbox import ScriptedSandbox
from bailiwick.sandbox.contract import ATTACKS, Attack, CannotBeTried, Scene

RUN = CliRunner()


@pytest.fixture
def few_attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to be run by every test here; each of them is run on every kind of sandbox elsewhere."""
    few = tuple(attack for attack in ATTACKS if attack.name in ("write", "namespaces", "answer-nan"))
    monkeypatch.setattr("bailiwick.sandbox.contract.ATTACKS", few)


@pytest.mark.usefixtures("few_attacks")
def test_every_case_is_told_with_what_was_tried_and_what_came_of_it(sandbox_kind: str) -> None:
    done = RUN.invoke(app, ["sandbox", "attack", "--sandbox", sandbox_kind])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["withstood", "write"],
        ["withstood", "namespaces"],
        ["withstood", "answer-nan"],
    ]
    assert lines[0].endswith("writes outside of /tmp: to /, to the tool, to a read mount")
    assert lines[3:] == [f"{sandbox_kind}: 3 attacks, 3 withstood, none breached"]
    assert "\x1b" not in done.stdout, "no colours where nobody looks"


@pytest.mark.usefixtures("few_attacks")
def test_a_program_reads_one_document(sandbox_kind: str) -> None:
    done = RUN.invoke(app, ["sandbox", "attack", "--sandbox", sandbox_kind, "--json"])
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert {key: document[key] for key in document if key != "cases"} == {
        "sandbox": sandbox_kind,
        "withstood": 3,
        "breached": 0,
        "untried": 0,
    }
    assert document["cases"][2] == {
        "name": "answer-nan",
        "tried": "answers with NaN",
        "outcome": "withstood",
    }


async def _wins(scene: Scene) -> str:
    return "it got out"


async def _has_no_occasion(scene: Scene) -> str:
    raise CannotBeTried("no engine is here")


async def _breaks_the_sandbox(scene: Scene) -> str:
    result = await scene.call("leave.py", "answer")
    return f"it ended with {result.cause}" if result.cause != "ok" else ""


@pytest.fixture
def a_sandbox_that_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def open_sandbox(*_: object, **__: object) -> ScriptedSandbox:
        return ScriptedSandbox()

    attempts = {"wins": _wins, "no-occasion": _has_no_occasion, "breaks": _breaks_the_sandbox}
    attacks = tuple(
        Attack(name=name, tried=f"tries [{name}]", promise="it holds", attempt=attempt)
        for name, attempt in attempts.items()
    )
    monkeypatch.setattr("bailiwick.sandbox.open_sandbox", open_sandbox)
    monkeypatch.setattr("bailiwick.sandbox.contract.ATTACKS", attacks)


@pytest.mark.usefixtures("a_sandbox_that_loses")
def test_one_attack_that_succeeds_fails_the_command_and_says_what_was_promised() -> None:
    done = RUN.invoke(app, ["sandbox", "attack"])
    assert done.exit_code == 1
    assert [" ".join(line.split()) for line in done.stdout.splitlines()] == [
        "breached wins tries [wins]",
        "it got out",
        "promised: it holds",
        "untried no-occasion tries [no-occasion]",
        "no engine is here",
        "breached breaks tries [breaks]",
        "it ended with error",
        "promised: it holds",
        "scripted: 3 attacks, 0 withstood, 1 could not be tried, 2 breached",
    ]


@pytest.mark.usefixtures("a_sandbox_that_loses")
def test_a_program_reads_why_an_attack_succeeded() -> None:
    done = RUN.invoke(app, ["sandbox", "attack", "--json"])
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert [case["outcome"] for case in document["cases"]] == [
        "breached: it got out",
        "untried: no engine is here",
        "breached: it ended with error",
    ]
    assert (document["withstood"], document["breached"], document["untried"]) == (0, 2, 1)


def test_where_no_sandbox_is_nothing_is_attacked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    done = RUN.invoke(app, ["sandbox", "attack", "--sandbox", "docker"])
    assert done.exit_code == 1
    assert "no Docker Engine answers" in done.stderr
