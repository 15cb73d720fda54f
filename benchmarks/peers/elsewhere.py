"""Other libraries, each in a process of its own and all in an environment of their own: their pins are not ours."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.environment import environment_with
from benchmarks.peers.way import CODE, Timed, Tool

__all__ = ["PROGRAMS", "Elsewhere", "Program", "peer_environment"]

_FOLDER = Path(__file__).with_name("programs")
_LIBRARIES = (
    "llm-sandbox[docker]==0.3.46",
    "smolagents==1.26.0",
    "autogen-ext[docker]==0.7.5",
    # smolagents talks to this gateway, which its image holds, by this socket.
    "jupyter-kernel-gateway==3.0.1",
    "ipykernel==7.4.0",
    "websocket-client==1.9.2",
)
_ANSWER_WITHIN = 60.0


@dataclass(frozen=True, kw_only=True)
class Program:
    """A library's program under ``programs/``."""

    name: str
    file: str
    fresh: bool
    every: int = 1
    """Seconds are paid for each of its calls where this is more than one."""
    more: tuple[str, ...] = ()


PROGRAMS = (
    Program(name="llm-sandbox, a container a call", file="llm_sandbox_fresh.py", fresh=True, every=4),
    Program(name="llm-sandbox, pool, used once", file="llm_sandbox_pool.py", fresh=True, every=4, more=("once",)),
    Program(name="llm-sandbox, pool", file="llm_sandbox_pool.py", fresh=False, more=("reused",)),
    Program(name="autogen-ext, Docker", file="autogen_docker.py", fresh=False),
    Program(name="smolagents, Docker", file="smolagents_docker.py", fresh=False),
)


def peer_environment() -> Path:
    """The interpreter of an environment that holds the peers. Raises RuntimeError where it cannot be made."""
    return environment_with(*_LIBRARIES)


class Elsewhere:
    """A peer behind a line of JSON in and a line out. It takes its own time, so that the pipe's is not counted."""

    def __init__(self, program: Program, *, python: Path, image: str) -> None:
        self.name, self.fresh, self.every = program.name, program.fresh, program.every
        self._command = [str(python), str(_FOLDER / program.file), image, *program.more]
        self._process: Process | None = None

    async def open(self) -> None:
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        await self._line()

    async def call(self, tool: Tool) -> Timed:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"code": CODE[tool]}).encode() + b"\n")
        told = json.loads(await self._line())
        return Timed(whole=told["whole"], tool=told["tool"])

    async def _line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _ANSWER_WITHIN)
        if not line:
            said = (await self._process.stderr.read()).decode(errors="replace").strip()
            raise RuntimeError(f"{self.name} ended: {said.splitlines()[-1] if said else 'without a word'}")
        return line

    async def close(self) -> None:
        """End of input is its sign to remove what it made; one that does not is killed after 30 s."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.communicate(), 30)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
