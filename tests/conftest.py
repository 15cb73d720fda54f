"""What every test shares: markers for parts that a machine may lack, and no way to a real model."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # demo/ and the fixtures of tests/ are no installed packages

from bailiwick.testing import forbid_model_requests  # noqa: E402
from demo.shop import make_shop  # noqa: E402

pytest_plugins = ["local_openai", "real_phoenix", "real_postgresql"]

PARTS = ("docker", "bubblewrap", "browser", "postgresql")
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
def nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model of the developer's, and no spans into a Phoenix that happens to run: nobody listens on port 9."""
    for name in (
        "BAILIWICK_MODEL",
        "BAILIWICK_MODEL_BASE_URL",
        "BAILIWICK_SANDBOX",
        "BAILIWICK_PROJECT",
        "BAILIWICK_DATABASE",
        "BAILIWICK_CHROMA",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("BAILIWICK_EMBEDDER", "static")  # whatever weights this machine has


@pytest.fixture(autouse=True)
def no_real_model(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("names_outside"):
        yield
        return
    with forbid_model_requests():
        yield


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    ]
)
def sandbox_kind(request: pytest.FixtureRequest) -> str:
    """Every kind of sandbox, one after the other."""
    return request.param


def open_to_nobody(folder: Path) -> None:
    """pytest's folders are closed to others; a container that runs as nobody has to reach what is mounted from them."""
    for parent in (folder, *folder.parents):
        if parent.owner() == folder.owner() and parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)


@pytest.fixture
def project_root(tmp_path: Path) -> Path:
    """A copy of the support desk's project with data of its own, and nothing kept yet."""
    for folder in ("agents", "graphs", "tools", "policies", "knowledge"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    make_shop(tmp_path / "data")
    open_to_nobody(tmp_path)
    return tmp_path
