"""Real sandboxes, one for all tests of a kind, and a project for tools to run in."""

from __future__ import annotations

import asyncio
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sandbox.sandbox_kinds import KINDS

from bailiwick.policy import Policy
from bailiwick.sandbox import PoolSettings, Request, Result, Sandbox, Spec, compile_spec, inside_path, open_sandbox


@pytest.fixture(scope="session", params=KINDS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    opened = asyncio.run(open_sandbox(request.param))
    yield opened
    asyncio.run(opened.close())


@pytest.fixture(params=KINDS)
def unpooled(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """One in which nothing waits, for tests that look at all containers there are."""
    opened = asyncio.run(open_sandbox(request.param, pool=PoolSettings(floor=0)))
    yield opened
    asyncio.run(opened.close())


@dataclass(frozen=True, kw_only=True)
class ToolProject:
    """A project's folder, in which a test writes its tool."""

    root: Path

    def write(self, source: str, name: str = "shop.py") -> Path:
        file = self.root / "tools" / name
        file.write_text("from bailiwick import idempotency_key, secret, span, tool\n" + textwrap.dedent(source))
        return file

    def spec(self, file: Path, **sandbox: Any) -> Spec:
        policy = Policy.model_validate({"tool": "shop", "sandbox": sandbox})
        return compile_spec(policy, project=self.root, tool_file=file)

    def folder(self, path: str) -> Path:
        """A folder of the project that a container may write to."""
        made = self.root / path
        made.mkdir(parents=True)
        if os.getuid() == 0:
            os.chown(made, 65534, 65534)
        return made

    async def call(
        self, sandbox: Sandbox, source: str, function: str, *, policy: dict[str, Any] | None = None, **request: Any
    ) -> Result:
        file = self.write(source)
        asked = Request(file=inside_path(file), function=function, **request)
        return await sandbox.run(self.spec(file, **(policy or {})), asked)


@pytest.fixture
def project(tmp_path: Path) -> ToolProject:
    (tmp_path / "tools").mkdir()
    return ToolProject(root=tmp_path)
