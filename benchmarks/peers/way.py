"""What is compared: a way of running a tool, and the two tools, which are the same for all."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["CODE", "TOOLS", "Timed", "Tool", "Way", "run_command", "timed"]

Tool = Literal["nothing", "20 ms"]
TOOLS: tuple[Tool, ...] = ("nothing", "20 ms")
_BODY = {"nothing": "pass", "20 ms": "time.sleep(0.02)"}
CODE = {
    tool: f"import time\nstarted = time.perf_counter()\n{body}\nprint(time.perf_counter() - started)\n"
    for tool, body in _BODY.items()
}
"""A tool as a program. It prints the seconds that its own body took, so that a sleep that oversleeps is nobody's
fault, and a call that did not run is found out."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One call, in seconds: all of it, and what the tool itself took of it by its own clock."""

    whole: float
    tool: float

    @property
    def over(self) -> float:
        """Seconds of the call that are not the tool's own."""
        return self.whole - self.tool


class Way(Protocol):
    """A way of running a tool. Opened once, called often, closed once; closing leaves nothing behind."""

    @property
    def name(self) -> str: ...

    @property
    def fresh(self) -> bool:
        """Whether each call has a container, or at least a sandbox, that no other call was in."""
        ...

    @property
    def every(self) -> int:
        """In each how many-th round it is called: 1, and more for what takes seconds."""
        ...

    async def open(self) -> None: ...

    async def call(self, tool: Tool) -> Timed: ...

    async def close(self) -> None: ...


def timed(act: Callable[[], str]) -> Timed:
    """Do it, take its time, and read from what it gave how long the tool took."""
    started = time.perf_counter()
    said = act()
    whole = time.perf_counter() - started
    return Timed(whole=whole, tool=float(said))


def run_command(command: Sequence[str]) -> str:
    """What a command printed. Raises RuntimeError when it failed, or took a minute."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout
