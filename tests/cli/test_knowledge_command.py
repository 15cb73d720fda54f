"""``bailiwick ingest`` and ``bailiwick knowledge``, as a person and as a program use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bailiwick.cli import app

Ran = Result
BAILIWICK = [str(Path(sys.executable).parent / "bailiwick")]


@pytest.fixture
def bailiwick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    monkeypatch.chdir(tmp_path)
    for folder in ("agents", "policies", "knowledge"):
        (tmp_path / folder).mkdir()
    (tmp_path / "knowledge/tea.md").write_text("---\nlang: en\n---\n# Tea\n\n## Black\n\nSteep four minutes.\n")
    (tmp_path / "knowledge/cups.csv").write_text("cup,price\nclay,9.50\nglass,4.00\n")
    (tmp_path / "knowledge/photo.png").write_bytes(b"\x89PNG")

    def run(*arguments: str, code: int = 0) -> Ran:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == code, (done.stderr, done.exception)
        return done

    return run


def test_taken_in_listed_shown_found_and_measured(bailiwick: Callable[..., Ran], tmp_path: Path) -> None:
    would = json.loads(bailiwick("ingest", "--dry-run", "--json").stdout)
    assert (would["added"], would["dry_run"]) == (3, True)
    assert not (tmp_path / ".bailiwick/knowledge").exists()

    told = bailiwick("ingest").stderr
    assert "3 passages added, 0 unchanged, 0 removed" in told
    assert "skipped, since they are no documents: photo.png" in told

    listed = bailiwick("knowledge", "list").stdout
    assert "cups.csv  kind=csv" in listed
    assert "tea.md  kind=md, lang=en" in listed

    shown = json.loads(bailiwick("knowledge", "show", "tea.md", "--json").stdout)
    assert [(each["citation"], each["text"]) for each in shown] == [("tea.md, Black", "Steep four minutes.")]
    assert "Steep four minutes." in bailiwick("knowledge", "show", shown[0]["id"][:8]).stdout
    bailiwick("knowledge", "show", "nothing.md", code=1)

    found = json.loads(bailiwick("knowledge", "search", "How long to steep black tea?", "--json").stdout)
    assert found["mode"] == "hybrid"
    assert found["passages"][0]["link"].endswith("/knowledge/tea.md")
    narrowed = bailiwick("knowledge", "search", "price of a clay cup", "--where", "kind=csv", "-k", "1").stdout
    assert narrowed.startswith("1. cups.csv, row 1")
    assert "nothing that fits" in bailiwick("knowledge", "search", "quantum physics", code=1).stdout
    assert "--where" in bailiwick("knowledge", "search", "x", "--where", "nonsense", code=2).stderr

    assert json.loads(bailiwick("knowledge", "stats", "--json").stdout)["passages"] == 3
    assert json.loads(bailiwick("knowledge", "verify", "--all", "--json").stdout)["sound"]
    assert "3 vectors" in bailiwick("knowledge", "rebuild").stderr
    assert "MB now" in bailiwick("knowledge", "compact").stderr

    (tmp_path / "questions.csv").write_text(
        'question,relevant\nHow long to steep black tea?,"tea.md, Black"\nclay cup price,cups.csv\n'
        'glass?,"""4.00"""\nWho is the king of France?,\n'
    )
    measured = json.loads(bailiwick("knowledge", "eval", "questions.csv", "-k", "2", "--json").stdout)
    assert (measured["answerable"], measured["unanswerable"]) == (3, 1)
    assert measured["legs"]["hybrid"]["recall"] == 1.0
    assert "recall@2" in bailiwick("knowledge", "eval", "questions.csv", "-k", "2").stdout
    assert "question, relevant" in bailiwick("knowledge", "eval", "knowledge/cups.csv", code=2).stderr


def test_what_cannot_be_taken_in_is_told_kept_and_tried_again(bailiwick: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "knowledge/broken.pdf").write_bytes(b"%PDF-")
    assert "not taken in: broken.pdf: it is a broken PDF" in bailiwick("ingest", code=1).stderr
    assert "broken.pdf: it is a broken PDF" in bailiwick("knowledge", "list", "--failed").stdout
    retried = json.loads(bailiwick("ingest", "--retry-failed", "--json", code=1).stdout)
    assert (retried["added"], retried["unchanged"], len(retried["dead_letters"])) == (0, 0, 1)
    (tmp_path / "knowledge/broken.pdf").unlink()
    bailiwick("ingest")
    assert bailiwick("knowledge", "list", "--failed").stdout == ""


def test_a_broken_index_is_told_with_the_way_to_mend_it(bailiwick: Callable[..., Ran], tmp_path: Path) -> None:
    bailiwick("ingest")
    (file,) = (tmp_path / ".bailiwick/knowledge/chroma").glob("*/chroma.sqlite3")
    file.write_bytes(b"no database" * 1000)
    assert "mend it: bailiwick knowledge rebuild" in bailiwick("knowledge", "verify", code=1).stdout
    bailiwick("knowledge", "rebuild")
    bailiwick("knowledge", "verify")


def test_tenants_are_kept_apart(bailiwick: Callable[..., Ran]) -> None:
    bailiwick("ingest", "knowledge/tea.md", "--tenant", "acme")
    assert "tea.md" in bailiwick("knowledge", "list", "--tenant", "acme").stdout
    assert bailiwick("knowledge", "list").stdout == ""
    assert "'../x' is no name of a tenant" in bailiwick("ingest", "--tenant", "../x", code=2).stderr


def test_watching_takes_in_what_changes(bailiwick: Callable[..., Ran], tmp_path: Path) -> None:
    watching = subprocess.Popen(
        [*BAILIWICK, "ingest", "--watch", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    assert watching.stdout
    assert watching.stderr
    try:
        assert json.loads(watching.stdout.readline())["added"] == 3
        (tmp_path / "knowledge/new.md").write_text("# New\n\nA new page.\n")
        assert json.loads(watching.stdout.readline())["added"] == 1
    finally:
        watching.send_signal(signal.SIGINT)
        watching.wait(20)
        watching.stdout.close()
        watching.stderr.close()
    assert watching.returncode == 130
