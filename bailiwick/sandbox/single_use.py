"""A call in a container: take one that waits, hand the call over, tell what came of it, throw the container away."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from threading import Event

from bailiwick.errors import SandboxError, SandboxFailed
from bailiwick.sandbox.conversation import NotHandedOver, ask
from bailiwick.sandbox.conversations import Conversations
from bailiwick.sandbox.egress import EgressEvent
from bailiwick.sandbox.ownership import remove_abandoned_folders
from bailiwick.sandbox.pool import Pool
from bailiwick.sandbox.pool_settings import PoolSettings
from bailiwick.sandbox.spec import Request, Result, Spec
from bailiwick.sandbox.starting import Container, Engine, Ready, Starter

__all__ = ["SingleUse"]

_AT_ONCE = 64
"""Calls in flight; a thread each, since it does nothing but wait."""
_TAKES = 4
"""Containers that may turn out to have ended before a call is told that there is no working sandbox."""


@dataclass(eq=False)
class _Call:
    """A call on its way. ``held``: the containers that a cancelled call must not leave running."""

    spec: Spec
    request: Request
    asked: float = field(default_factory=time.perf_counter)
    given_up: Event = field(default_factory=Event)
    held: list[Container] = field(default_factory=list[Container])


class SingleUse:
    """A ``Sandbox`` over an engine: a fresh container for each call, and never another call in it.

    Under ``isolation: thread`` a container is kept for a conversation, and each of its calls has fresh processes.
    """

    def __init__(self, engine: Engine, pool: PoolSettings | None = None) -> None:
        self._engine = engine
        self._starter = Starter(engine)
        self._conversations = Conversations(self._take, self._release)
        self._pool = Pool(
            self._starter,
            pool or PoolSettings.from_environment(),
            reconcile=self._reconcile,
            make_room=self._conversations.make_room,
        )
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=f"bailiwick-{engine.kind}")
        self._running: set[Future[Result]] = set()
        self._closed = False

    @property
    def kind(self) -> str:
        return self._engine.kind

    def check(self, spec: Spec) -> None:
        self._engine.check(spec)

    def prepare(self, spec: Spec, file: str) -> None:
        self._pool.prepare(spec, file)

    async def run(self, spec: Spec, request: Request) -> Result:
        """See ``Sandbox.run``. When this task is cancelled its container is killed."""
        if self._closed:
            raise SandboxFailed("this sandbox was closed", fix="open another")
        call = _Call(spec, request)
        running = self._threads.submit(self._run, call)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            call.given_up.set()
            for container in call.held:
                self._threads.submit(container.kill)
            raise

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        wait(set(self._running))
        self._conversations.close()
        self._pool.close()
        self._pool.settle()
        self._starter.close()
        # The engine before the threads: bubblewrap ends with the thread that started it, and should end by itself.
        self._engine.close()
        self._pool.join()
        self._threads.shutdown()

    def _reconcile(self) -> None:
        self._conversations.give_up_idle()
        with contextlib.suppress(OSError, SandboxError):
            remove_abandoned_folders()
        self._engine.reconcile()

    def _take(self, spec: Spec, file: str) -> tuple[Ready, bool]:
        return self._pool.take(spec, file)

    def _release(self, ready: Ready) -> None:
        self._pool.release(ready)

    def _run(self, call: _Call) -> Result:
        for _ in range(_TAKES):
            with contextlib.suppress(NotHandedOver):
                if call.spec.isolation == "thread" and call.request.thread:
                    return self._run_in_conversation(call)
                return self._run_alone(call)
        raise SandboxFailed(f"{_TAKES} containers ended, one after the other, before the call was in them")

    def _run_alone(self, call: _Call) -> Result:
        ready, waited = self._take(call.spec, _loaded_file(call.request))
        try:
            return self._serve(call, ready, waited)
        finally:
            self._release(ready)

    def _run_in_conversation(self, call: _Call) -> Result:
        file = _loaded_file(call.request)
        with self._conversations.turn(call.spec, call.request.thread, file) as (kept, ready, waited):
            result = self._serve(call, ready, waited)
            if call.given_up.is_set() or result.cause in ("killed", "timeout", "oom", "output"):
                kept.ready = None
            elif file:
                kept.load_again(ready)
            return result

    def _serve(self, call: _Call, ready: Ready, waited: bool) -> Result:
        """Raises NotHandedOver while it is certain that the call did not begin."""
        container = ready.container
        call.held.append(container)
        begun = time.perf_counter()
        if call.given_up.is_set():
            return Result(cause="killed")
        events: tuple[EgressEvent, ...] = ()
        sent = time.time()
        if ready.door is not None:
            ready.door.begin()
        try:
            result = ask(container.channel, call.request, rlimits=container.rlimits)
        finally:
            if ready.door is not None:
                events = ready.door.end()
        if result.cause in ("killed", "timeout"):
            container.kill()
        if result.cause == "killed" and result.failure is None and container.ended_before(sent):
            raise NotHandedOver
        if _killed_by_somebody(result) and container.overstepped():
            result = replace(result, cause="oom", failure=None)
        return replace(
            result,
            sandbox=self.kind,
            container=container.id,
            image_digest=container.image_digest,
            spec_digest=call.spec.digest,
            evidence=ready.evidence,
            waited=waited,
            start_ms=(begun - call.asked) * 1000,
            egress=events,
        )


def _loaded_file(request: Request) -> str:
    return request.file if request.op == "call" else ""


def _killed_by_somebody(result: Result) -> bool:
    """Whether the container, or the tool's process in it, got a SIGKILL that the runner did not send."""
    by_signal = result.cause == "signal" and result.failure is not None and result.failure.type == "SIGKILL"
    return by_signal or result.cause == "killed"
