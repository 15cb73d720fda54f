"""``bailiwick doctor`` says where things are kept, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bailiwick.cli.app import app


def database(project: Path) -> dict[str, Any]:
    for folder in ("agents", "tools", "policies"):
        (project / folder).mkdir(exist_ok=True)
    done = CliRunner().invoke(app, ["doctor", "--json", "--project", str(project)])
    findings = json.loads(done.stdout)["findings"]
    (found,) = [each for each in findings if each["name"] == "database"]
    return found


def test_the_projects_own_file_is_named_and_not_made(tmp_path: Path) -> None:
    found = database(tmp_path)
    assert found["ok"]
    assert found["detail"] == f"SQLite in {tmp_path / '.bailiwick/state.db'}, made when it is first needed"
    assert not (tmp_path / ".bailiwick").exists()


@pytest.mark.postgresql
def test_a_server_is_tried_and_its_password_is_not_shown(
    tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAILIWICK_DATABASE", postgresql.replace("desk@", "desk:hush@"))
    found = database(tmp_path)
    assert found["ok"]
    assert found["detail"].startswith("postgresql: ")
    assert "hush" not in found["detail"]
    monkeypatch.setenv("BAILIWICK_DATABASE", "postgresql://desk:hush@127.0.0.1:9/desk")
    found = database(tmp_path)
    assert not found["ok"]
    assert "hush" not in json.dumps(found)
    assert found["fix"]
