"""What every test shares: markers for parts that a machine may lack, and no way to a real model."""

from __future__ import annotations

import os

import pytest

PARTS = ("docker", "bubblewrap", "browser")
WITHOUT = {name.strip() for name in os.environ.get("BAILIWICK_TEST_WITHOUT", "").split(",") if name.strip()}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, in print, what this machine cannot run (``scripts/with-engine`` finds out and says why)."""
    left_out = [item for item in items if any(item.get_closest_marker(part) for part in PARTS if part in WITHOUT)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if WITHOUT:
        terminalreporter.write_line(f"NOT tested on this machine: {', '.join(sorted(WITHOUT))}", yellow=True)


@pytest.fixture(autouse=True)
def no_model_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BAILIWICK_MODEL", "BAILIWICK_MODEL_BASE_URL", "PHOENIX_COLLECTOR_ENDPOINT", "BAILIWICK_SANDBOX"):
        monkeypatch.delenv(name, raising=False)
