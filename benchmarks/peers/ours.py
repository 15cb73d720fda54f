"""Bailiwick through its own door: ``open_sandbox``, and ``run`` with a spec and a request."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from bailiwick.sandbox import Mount, Request, Result, Sandbox, Spec, open_sandbox
from bailiwick.sandbox.ownership import owner_labels
from benchmarks.peers.way import Timed, Tool

__all__ = ["Answered", "Ours", "isolations"]

_TOOL = '''import time

from bailiwick import tool


@tool
def nothing() -> list[float]:
    """When nothing began and ended."""
    return [time.perf_counter(), time.perf_counter()]


@tool
def a_while() -> list[float]:
    """When 20 ms began and ended."""
    started = time.perf_counter()
    time.sleep(0.02)
    return [started, time.perf_counter()]
'''
_LASTING = ("machine", "pid", "started", "spec")
"""Last words of the labels that are the same for all of them."""
_FUNCTIONS: dict[Tool, str] = {"nothing": "nothing", "20 ms": "a_while"}


def isolations() -> tuple[Literal["call", "thread"], ...]:
    """What a spec can ask for here."""
    return ("call", "thread") if "isolation" in {field.name for field in fields(Spec)} else ("call",)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One call. Inside is the host's clock, so that the ways there and back, in seconds, can be told apart."""

    timed: Timed
    result: Result
    there: float
    back: float


class Ours:
    """A sandbox that was opened once; each call has a container of its own, or with ``thread`` its conversation's."""

    every = 1

    def __init__(self, kind: Literal["docker", "bubblewrap"], isolation: Literal["call", "thread"] = "call") -> None:
        self.name = f"Bailiwick, {kind}, {isolation}"
        self.fresh = isolation == "call"
        self._kind: Literal["docker", "bubblewrap"] = kind
        self._isolation = isolation
        self._folder = tempfile.TemporaryDirectory(prefix="bailiwick-benchmark-")
        self._sandbox: Sandbox | None = None
        file = Path(self._folder.name, "clock.py")
        file.write_text(_TOOL)
        file.chmod(0o644)
        file.parent.chmod(0o755)
        self.spec = Spec(image="python", mounts=(Mount(source=file.resolve(), target="/tool/clock.py"),))
        if isolation == "thread":
            asked: dict[str, Any] = {"isolation": isolation}
            self.spec = replace(self.spec, **asked)

    @property
    def labels(self) -> list[str]:
        """Labels, as the engine filters by them, of every container that this process makes for these calls."""
        owned = owner_labels(self.spec.digest).items()
        return [f"{name}={value}" for name, value in owned if name.rpartition(".")[2] in _LASTING]

    async def open(self) -> None:
        self._sandbox = await open_sandbox(self._kind)

    async def call(self, tool: Tool) -> Timed:
        return (await self.run(tool)).timed

    async def run(self, tool: Tool) -> Answered:
        """A call, its result and where its time went. Raises RuntimeError when the tool did not answer."""
        assert self._sandbox is not None
        asked: dict[str, Any] = {"thread": "benchmark"} if self._isolation == "thread" else {}
        request = Request(file="/tool/clock.py", function=_FUNCTIONS[tool], **asked)
        asked_at = time.perf_counter()
        result = await self._sandbox.run(self.spec, request)
        answered_at = time.perf_counter()
        if result.cause != "ok":
            raise RuntimeError(f"{self.name}: the call ended with {result.cause}: {result.failure}")
        began, ended = result.value
        return Answered(
            timed=Timed(whole=answered_at - asked_at, tool=ended - began),
            result=result,
            there=began - asked_at,
            back=answered_at - ended,
        )

    async def close(self) -> None:
        if self._sandbox is not None:
            await self._sandbox.close()
        self._folder.cleanup()
