"""What the docs show of ``bailiwick policy`` is what it prints, and every command of it is told of."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bailiwick.cli import app
from bailiwick.cli.policy import policy
from bailiwick.policy.json_schema import SCHEMA_URL

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/policies.md").read_text()


def test_what_explain_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (shown,) = re.findall(r"```console\n\$ bailiwick (policy explain .*?)```", TEXT, re.S)
    command, _, printed = shown.partition("\n")
    assert CliRunner().invoke(app, shlex.split(command)).output == printed


def test_every_command_is_told_of() -> None:
    there = {each.name or (each.callback.__name__ if each.callback else "") for each in policy.registered_commands}
    assert set(re.findall(r"^\| `bailiwick policy (\w+)", TEXT, re.M)) == there
    assert f"$schema={SCHEMA_URL}" in TEXT
