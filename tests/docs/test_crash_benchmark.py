"""The crash benchmark, with a few kills: what it counts, and that nothing is doubled or lost."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def crash(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.crash")


def measured(crash: ModuleType, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert crash.main([*options, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def unharmed(found: dict[str, Any]) -> None:
    assert found["kills"] >= 8
    assert (found["doubled"], found["lost"], found["unreadable"]) == (0, 0, 0), found["what_went_wrong"]
    assert found["effects"] == found["wanted"] == 3 * found["conversations"]
    assert found["unknown_surfaced"] >= 0


def test_killed_processes_double_and_lose_nothing_and_the_same_is_done_to_langgraph_alone(
    crash: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured(crash, capsys, "--kills", "8", "--baseline", "langgraph")
    unharmed(found["bailiwick"])
    assert found["langgraph"]["kills"] >= 8
    assert found["langgraph"].keys() == found["bailiwick"].keys()


@pytest.mark.postgresql
def test_nothing_is_doubled_or_lost_on_a_server(crash: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    unharmed(measured(crash, capsys, "--kills", "8", "--database", "postgresql"))


def test_a_witness_counts_what_arrived_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import socket

    monkeypatch.syspath_prepend(str(ROOT))
    module = importlib.import_module("benchmarks.crash_witness")
    with module.Witness(tmp_path / "w"):
        with socket.socket(socket.AF_UNIX) as half:
            half.connect(str(tmp_path / "w"))
            half.sendall(b'{"pay": "ann"}')
        module.say(tmp_path / "w", {"pay": "bob"})
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(str(tmp_path / "w"))
            deaf.sendall(b'{"pay": "bob"}\n')
        assert module.say(tmp_path / "w", {"paid": "bob"}) == 2
        assert module.say(tmp_path / "w", {"paid": "ann"}) == 0
