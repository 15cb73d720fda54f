"""Policies that change while tools are in use: the next call is decided by what the file says then.

A call holds the policy that it began with to its end. A new version takes effect as a whole, after all the checks that
it would have had at the start, or not at all: then the old one stays, and says so in the log, in the trace and as an
error path. A policy whose file is gone is no policy, and its tool may not be called.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from bailiwick.errors import BailiwickError, PolicyError
from bailiwick.policy import LoadedPolicy, load_policy
from bailiwick.policy.load import beside_others
from bailiwick.toolbox.registered import RegisteredTool
from bailiwick.tracing import ErrorPath, ErrorWatch, span

__all__ = ["Current", "PolicyFiles"]

_log = logging.getLogger("bailiwick.policy")
_State = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Current:
    """A tool under the policy that counts now. ``tool`` None: its file is gone."""

    tool: RegisteredTool | None
    problem: str = ""
    """Why the file's newest version is not the one that counts. Empty: it is."""


class PolicyFiles:
    """The policies of a toolbox and the files that they were read from. Policies written in code never change."""

    def __init__(
        self,
        tools: dict[str, RegisteredTool],
        *,
        join: Callable[[RegisteredTool, LoadedPolicy], RegisteredTool],
        watch: ErrorWatch | None,
        on_change: Callable[[RegisteredTool], None],
    ) -> None:
        self._tools = tools
        self._join = join
        self._watch = watch
        self._on_change = on_change
        self._lock = Lock()
        self._states = {name: _state(tool.policy.file) for name, tool in tools.items() if _is_file(tool)}
        self._problems: dict[str, str] = {}

    async def current(self, name: str, agent: str) -> Current | None:
        """The tool ``name`` as it may be called now; None: there is no such tool. Raises nothing."""
        tool = self._tools.get(name)
        if tool is None or name not in self._states:
            return None if tool is None else Current(tool=tool)
        # One look at the file's dates and size a call, a few microseconds; nothing has to run beside it.
        state = _state(tool.policy.file)
        if state == self._states[name]:
            return Current(tool=tool if state is not None else None, problem=self._problems.get(name, ""))
        return await asyncio.to_thread(self._changed, name, agent)

    def _changed(self, name: str, agent: str) -> Current:
        with self._lock:
            tool = self._tools[name]
            state = _state(tool.policy.file)
            if state != self._states[name]:
                problem = self._take(tool) if state is not None else ""
                self._states[name] = state
                self._problems[name] = problem
                self._tell(name, tool.policy.file, gone=state is None, problem=problem, agent=agent)
            return Current(tool=self._tools[name] if state is not None else None, problem=self._problems[name])

    def _take(self, tool: RegisteredTool) -> str:
        """Put the file's version in place of the old one; why not, where that cannot be done."""
        try:
            loaded = load_policy(tool.policy.file)
            for problem in beside_others(loaded, self._tools):
                raise problem
            changed = self._join(tool, loaded)
        except (BailiwickError, OSError) as error:
            return str(error)
        self._tools[tool.definition.name] = changed
        self._on_change(changed)
        return ""

    def _tell(self, name: str, file: Path, *, gone: bool, problem: str, agent: str) -> None:
        if not problem and not gone:
            _log.info("the policy of %s was read anew from %s", name, file)
            return
        message = "its file is gone, so it may not be called" if gone else f"the old version stays: {problem}"
        _log.error("the policy of %s: %s", name, message)
        with span(f"policy reload {name}", "GUARDRAIL") as opened:
            opened.fail(PolicyError.__name__, message)
            if self._watch is not None:
                path = ErrorPath(
                    agent=agent,
                    node="policy",
                    tool=name,
                    error_type=PolicyError.__name__,
                    exit_cause="gone" if gone else "reload",
                    outcome="recovered",
                )
                self._watch.saw(path, opened, message)


def _is_file(tool: RegisteredTool) -> bool:
    return tool.policy.file.suffix == ".yaml"


def _state(file: Path) -> _State | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
