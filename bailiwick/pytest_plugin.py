"""Fixtures for tests of agents, there for every project that has Bailiwick installed; none acts unless it is asked for.

It imports nothing of Bailiwick before a fixture is used: pytest loads it in every run, and LangChain takes seconds.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from bailiwick import Project
    from bailiwick.testing import CassetteModel, ScriptedModel, ScriptedSandbox

__all__: list[str] = []

FORBID = "bailiwick_forbid_model_requests"
_LEFT_BEHIND = shutil.ignore_patterns(".bailiwick", ".git", ".venv", "__pycache__", ".pytest_cache", "node_modules")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("bailiwick").addoption(
        "--record-cassettes", action="store_true", help="ask the real models and write the cassettes anew"
    )
    parser.addini(FORBID, "forbid requests to real models in every test", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "allow_model_requests: this test may reach a real model")


@pytest.fixture(autouse=True)
def _bailiwick_no_real_model(request: pytest.FixtureRequest) -> None:  # pyright: ignore[reportUnusedFunction]
    if request.config.getini(FORBID) and not request.node.get_closest_marker("allow_model_requests"):
        if request.config.getoption("--record-cassettes") and "cassette" in request.fixturenames:
            return
        request.getfixturevalue("no_model_requests")


@pytest.fixture
def no_model_requests() -> Generator[None]:
    """No request to a real model leaves this machine while the test runs."""
    from bailiwick.testing import forbid_model_requests

    with forbid_model_requests():
        yield


@pytest.fixture
def scripted_model() -> Generator[Callable[..., ScriptedModel]]:
    """``scripted_model("Hello.", ...)`` makes a ScriptedModel; at the end of the test all of it must have been said."""
    from bailiwick.testing import ScriptedModel

    made: list[ScriptedModel] = []

    def make(*script: Any) -> ScriptedModel:
        made.append(ScriptedModel(*script))
        return made[-1]

    yield make
    for model in made:
        model.assert_complete()


@pytest.fixture
def scripted_sandbox() -> Callable[..., ScriptedSandbox]:
    """``scripted_sandbox(lookup_order=fn, ...)``: a sandbox in which these tools do as written."""
    from bailiwick.testing import ScriptedSandbox

    def make(**tools: Any) -> ScriptedSandbox:
        return ScriptedSandbox(tools)

    return make


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Generator[Callable[..., CassetteModel]]:
    """``cassette(model)``: the model on the cassette of this test, ``cassettes/<file>/<test>.yaml`` beside its file.

    Another in the same test takes a ``name``. What was recorded must all have been asked for at the end.
    """
    from bailiwick.testing import CassetteModel

    made: list[CassetteModel] = []
    folder = request.path.parent / "cassettes" / request.path.stem
    test = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")

    def make(model: BaseChatModel | None = None, *, name: str = "") -> CassetteModel:
        file = folder / (f"{test}.{name}.yaml" if name else f"{test}.yaml")
        mode = "record" if request.config.getoption("--record-cassettes") else None
        made.append(CassetteModel(model, file=file, mode=mode))
        return made[-1]

    yield make
    for model in made:
        model.assert_complete()


@pytest.fixture
def bailiwick_project(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Project]]:
    """``async with bailiwick_project(root, lookup_order=fn) as project``: a copy, its tools scripted, no Phoenix.

    ``sandbox="docker"`` or ``"bubblewrap"`` runs the tools themselves.
    """
    from bailiwick import Project
    from bailiwick.testing import ScriptedSandbox

    def open_(root: Path | str, *, sandbox: Any = None, **tools: Any) -> AbstractAsyncContextManager[Project]:
        copy = tmp_path / Path(root).resolve().name
        if not copy.exists():
            shutil.copytree(root, copy, ignore=_LEFT_BEHIND)
        return Project.open(copy, sandbox=sandbox or ScriptedSandbox(tools), phoenix=None)

    return open_
