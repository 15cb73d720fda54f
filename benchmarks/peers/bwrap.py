"""bubblewrap as agents' shells use it: a fresh sandbox and interpreter for each call, the host seen read-only."""

from __future__ import annotations

import asyncio
import shutil
import sys

from benchmarks.peers.way import CODE, Timed, Tool, run_command, timed

__all__ = ["BwrapPython"]


class BwrapPython:
    """``bwrap … python -c``, with the flags that command-line agents give it."""

    name = "bwrap, python -c"
    fresh = True
    every = 1

    def __init__(self) -> None:
        found = shutil.which("bwrap")
        if found is None:
            raise RuntimeError("there is no bwrap command (Debian: apt-get install bubblewrap)")
        python: str = getattr(sys, "_base_executable", "") or sys.executable
        self._command = [found, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
        self._command += ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--", python, "-c"]

    async def open(self) -> None: ...

    async def call(self, tool: Tool) -> Timed:
        return await asyncio.to_thread(timed, lambda: run_command([*self._command, CODE[tool]]))

    async def close(self) -> None: ...
