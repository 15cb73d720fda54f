"""One container for one call: take one, use it, throw it away. A pool will only change where containers come from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event
from typing import Protocol

from bailiwick.errors import SandboxFailed
from bailiwick.sandbox.conversation import Channel, ask, wait_until_ready
from bailiwick.sandbox.mounts import verify_mounts
from bailiwick.sandbox.spec import Request, Result, Spec

__all__ = ["Container", "Engine", "SingleUse"]

_AT_ONCE = 64
"""Calls in flight; a thread each, since it does nothing but wait."""
_START_WITHIN = 30.0


class Container(Protocol):
    """A started container whose runner waits for its one call."""

    @property
    def id(self) -> str: ...

    @property
    def image_digest(self) -> str: ...

    @property
    def channel(self) -> Channel: ...

    @property
    def rlimits(self) -> Mapping[str, int]:
        """Limits of the tool's process where no cgroup keeps them, named without RLIMIT_. Empty: a cgroup does."""
        ...

    def overstepped(self) -> bool:
        """Whether its memory limit was enforced by killing, asked after it ended or lost a process."""
        ...

    def kill(self) -> None:
        """End everything in it now. Safe to call twice, from any thread."""
        ...

    def discard(self) -> None:
        """Remove it; the work is done elsewhere, later. Safe to call twice."""
        ...


class Engine(Protocol):
    """Where containers come from. Blocking; called from several threads."""

    @property
    def kind(self) -> str: ...

    def check(self, spec: Spec) -> None: ...

    def start(self, spec: Spec) -> Container:
        """A started container. Raises SandboxRefused or SandboxFailed, and leaves nothing behind then."""
        ...

    def close(self) -> None: ...


class SingleUse:
    """A ``Sandbox`` over an engine: a fresh container for each call, and never another call in it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=f"bailiwick-{engine.kind}")
        self._running: set[Future[Result]] = set()
        self._closed = False

    @property
    def kind(self) -> str:
        return self._engine.kind

    def check(self, spec: Spec) -> None:
        self._engine.check(spec)

    async def run(self, spec: Spec, request: Request) -> Result:
        """See ``Sandbox.run``. When this task is cancelled its container is killed."""
        if self._closed:
            raise SandboxFailed("this sandbox was closed", fix="open another")
        held: list[Container] = []
        given_up = Event()
        running = self._threads.submit(self._run, spec, request, held, given_up)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            given_up.set()
            for container in held:
                self._threads.submit(container.kill)
            raise

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        wait(set(self._running))
        # The engine before the threads: bubblewrap ends with the thread that started it, and should end by itself.
        self._engine.close()
        self._threads.shutdown()

    def _run(self, spec: Spec, request: Request, held: list[Container], given_up: Event) -> Result:
        asked = time.perf_counter()
        container = self._acquire(spec)
        held.append(container)
        try:
            ready = time.perf_counter()
            if given_up.is_set():
                return Result(cause="killed")
            result = ask(container.channel, request, rlimits=container.rlimits)
            if result.cause in ("killed", "timeout"):
                container.kill()
            if _killed_by_somebody(result) and container.overstepped():
                result = replace(result, cause="oom", failure=None)
            return replace(
                result,
                sandbox=self.kind,
                container=container.id,
                image_digest=container.image_digest,
                spec_digest=spec.digest,
                start_ms=(ready - asked) * 1000,
            )
        finally:
            container.discard()

    def _acquire(self, spec: Spec) -> Container:
        """The seam of the pool: a container that is ready to serve ``spec``."""
        verify_mounts(spec)
        container = self._engine.start(spec)
        try:
            wait_until_ready(container.channel, _START_WITHIN)
        except BaseException:
            container.kill()
            container.discard()
            raise
        return container


def _killed_by_somebody(result: Result) -> bool:
    """Whether the container, or the tool's process in it, got a SIGKILL that the runner did not send."""
    by_signal = result.cause == "signal" and result.failure is not None and result.failure.type == "SIGKILL"
    return by_signal or result.cause == "killed"
