"""An OpenAI-compatible server for each test that wants one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import openai_server
import pytest


@pytest.fixture
def reply() -> Callable[..., Any]:
    """``reply(text="hello")``, ``reply(status=429)``, ``reply(calls=(("name", "{}"),))``."""
    return openai_server.Reply


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Serve these replies where ``BAILIWICK_MODEL_BASE_URL`` then points, as a user would set it."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ExitStack() as stack:

        def start(*replies: Any) -> Any:
            served = stack.enter_context(openai_server.openai_server(*replies))
            monkeypatch.setenv("BAILIWICK_MODEL", "openai:served")
            monkeypatch.setenv("BAILIWICK_MODEL_BASE_URL", served.url)
            return served

        yield start
