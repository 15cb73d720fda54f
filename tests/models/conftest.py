"""An OpenAI-compatible server for each test that wants one."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest


def _load() -> Any:
    # Test folders are no packages, so a module beside a test is loaded by its path.
    spec = importlib.util.spec_from_file_location("openai_server", Path(__file__).with_name("openai_server.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


server_module = _load()


@pytest.fixture
def reply() -> Callable[..., Any]:
    """``reply(text="hello")``, ``reply(status=429)``, ``reply(calls=(("name", "{}"),))``."""
    return server_module.Reply


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Serve these replies where ``BAILIWICK_MODEL_BASE_URL`` then points, as a user would set it."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ExitStack() as stack:

        def start(*replies: Any) -> Any:
            served = stack.enter_context(server_module.openai_server(*replies))
            monkeypatch.setenv("BAILIWICK_MODEL", "openai:served")
            monkeypatch.setenv("BAILIWICK_MODEL_BASE_URL", served.url)
            return served

        yield start
