"""One call: a child, three pipes from it, a deadline, and the end of every process when it is over."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from bailiwick.sandbox.inside import collect, forward, process, wire
from bailiwick.sandbox.inside.child import become_tool
from bailiwick.sandbox.inside.told import SPANS, Bounded, Told

__all__ = ["HostGone", "Serving"]

_FLOOD = 16
"""Times the bound on output after which a tool that does not stop writing is ended."""
_SPAN_BYTES = SPANS * 10_000
_CHUNK = 65_536


class HostGone(Exception):
    """Raised when stdin has ended: nobody is there to answer to."""


class Serving:
    """Calls, one after the other. Of one call nothing but files under /tmp is there in the next."""

    def __init__(self, source: int, egress: Mapping[str, Any] | None, listeners: list[Any]) -> None:
        self._source, self._egress, self._listeners = source, egress, listeners
        self._kills_before = 0
        self._wake, sink = os.pipe()
        for end in (self._wake, sink):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, _noted)
        signal.set_wakeup_fd(sink, warn_on_full_buffer=False)
        self._forget()

    def begin(self) -> None:
        """Get ready for a call: nothing runs here but this process, and the one that forwards connections."""
        self.end_all()
        self._forget()
        self._kills_before = process.oom_kills()
        if self._egress:
            forward.serve(self._listeners, self._egress)

    def load(self, wanted: Mapping[str, Any]) -> bool:
        """Let a child import the tool's file and wait for the call. False: it could not; the call will tell why."""
        self._limit = int(wanted["output"])
        self._fork(wanted)
        self._watch(time.monotonic() + float(wanted["time"]), lambda: self._told.loaded)
        return self._still_waits()

    def wait(self, deadline: float) -> None:
        """Until the host speaks: take what the waiting child writes, so that it never blocks on a full pipe."""
        while self._child and self._status == -1 and not self._cause:
            ready = select.select([self._source, self._wake, *self._pipes], [], [], deadline - time.monotonic())[0]
            if not ready or self._source in ready:
                return
            self._take(ready)

    def prepare(self, call: Mapping[str, Any]) -> None:
        """Have a child that waits for ``call``, whether it has loaded the tool or is new."""
        self._loaded = self._still_waits()
        self._limit = int(call["output"])
        if call["files"]:
            collect.make_folder()
        if not self._loaded:
            self._fork(call)

    def answer(self, call: Mapping[str, Any], secrets: bytearray) -> dict[str, Any]:
        """Run the call to its end, end every process but this one, and give the reply. Wipes ``secrets``."""
        started_ns = time.monotonic_ns()
        cpu_before = process.cpu_seconds(self._child) if self._loaded else 0.0
        self._pending = [memoryview(wire.encode({**call, "started_ns": started_ns})), memoryview(secrets)]
        self._watch(time.monotonic() + float(call["time"]), lambda: self._told.answer is not None)
        secrets[:] = bytes(len(secrets))
        wall_ms = (time.monotonic_ns() - started_ns) / 1e6
        if self._told.answer is not None and not self._cause and not call["files"]:
            self._end_answered(cpu_before)
        else:
            self.end_all()
            self._drain()
        reply = self._outcome()
        files = collect.collect(call["files"], call["file_bytes"]) if call["files"] and reply["cause"] == "ok" else {}
        return {
            **reply,
            **files,
            "stdout": self._said["out"].text(self._limit),
            "stderr": self._said["err"].text(self._limit),
            "wall_ms": wall_ms,
            "cpu_ms": max(0.0, self._cpu - cpu_before) * 1000,
            "peak_rss_bytes": self._peak,
        }

    def end_all(self) -> None:
        """Kill every other process of the namespace and wait until none is left."""
        while True:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            if not self._reap_one(0):
                return

    def _end_answered(self, cpu_before: float) -> None:
        """End everything and do not wait for it: whoever is to be killed runs nothing more, and taking a process apart
        takes the kernel a millisecond, which the answer need not wait for."""
        cpu, peak = process.used(self._child)  # it waits to be ended once it has answered
        if peak == 0 or cpu <= cpu_before:
            # A tool that writes an answer by itself still runs, or has ended; what it used is told when it is reaped.
            self.end_all()
        else:
            self._cpu, self._peak = self._cpu + cpu, max(self._peak, peak)
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        self._drain()

    def _forget(self) -> None:
        for descriptor in getattr(self, "_pipes", {}):
            os.close(descriptor)
        if getattr(self, "_order", -1) >= 0:
            os.close(self._order)
        self._told = Told()
        self._said = {"out": Bounded(), "err": Bounded()}
        self._pipes: dict[int, str] = {}
        self._order, self._loaded = -1, False
        self._pending: list[memoryview] = []
        self._child, self._status = 0, -1
        self._cpu, self._peak = 0.0, 0
        self._cause, self._limit = "", 0

    def _still_waits(self) -> bool:
        """Whether a loaded child is there. One that failed, or died while it waited, leaves nothing behind."""
        if not self._child:
            return False
        self._reap()
        if self._told.loaded and self._status == -1 and not self._cause:
            return True
        self.begin()
        return False

    def _fork(self, first: Mapping[str, Any]) -> None:
        reads: dict[str, int] = {}
        writes: dict[str, int] = {}
        for name in ("report", "out", "err"):
            reads[name], writes[name] = os.pipe()
        order, self._order = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            become_tool(first, **writes, order=order, environment=forward.environment(self._egress))
        os.close(order)
        os.set_blocking(self._order, False)
        for name, descriptor in reads.items():
            os.close(writes[name])
            os.set_blocking(descriptor, False)
            self._pipes[descriptor] = name

    def _watch(self, deadline: float, done: Callable[[], bool]) -> None:
        """Until ``done``, the child has ended, time is up, or it said too much."""
        while self._status == -1 and not self._cause and not done():
            left = deadline - time.monotonic()
            if left <= 0:
                self._cause = "timeout"
                return
            wants = [self._order] if self._pending else []
            ready, writable, _ = select.select([self._wake, self._source, *self._pipes], wants, [], left)
            if self._source in ready:  # the host says nothing more during a call: this is its end
                self.end_all()
                raise HostGone
            if writable:
                self._hand_over()
            self._take(ready)

    def _hand_over(self) -> None:
        try:
            written = os.write(self._order, self._pending[0][:_CHUNK])
        except BlockingIOError:
            return
        except OSError:  # it has ended; its status says how
            self._pending = []
            return
        self._pending[0] = self._pending[0][written:]
        while self._pending and not self._pending[0]:
            self._pending.pop(0)

    def _take(self, ready: list[int]) -> None:
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)
            self._reap()
        for descriptor in ready:
            if descriptor in self._pipes:
                self._read(descriptor)

    def _read(self, descriptor: int) -> bool:
        """Take what is there; False when there is nothing now."""
        name = self._pipes[descriptor]
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            del self._pipes[descriptor]
            os.close(descriptor)
            return False
        if name == "report":
            self._told.add(data)
            flooded = self._told.total > self._limit * 2 + _SPAN_BYTES
        else:
            self._said[name].add(data, self._limit)
            flooded = self._said[name].total > self._limit * _FLOOD
        if flooded and not self._cause:
            self._cause = "output"
        return True

    def _reap(self) -> None:
        while self._reap_one(os.WNOHANG):
            pass

    def _reap_one(self, how: int) -> bool:
        """Take one process that has ended, and what it used."""
        try:
            pid, status, used = os.wait4(-1, how)
        except ChildProcessError:
            return False
        if pid == 0:
            return False
        self._cpu += used.ru_utime + used.ru_stime
        self._peak = max(self._peak, used.ru_maxrss * 1024)
        if pid == self._child:
            self._status = status
        return True

    def _drain(self) -> None:
        """What is left in the pipes of those who cannot write any more; a flooded one is not read to its end."""
        for descriptor in list(self._pipes):
            while self._cause != "output" and self._read(descriptor):
                pass

    def _outcome(self) -> dict[str, Any]:
        spans, answer = self._told.spans, self._told.answer
        if self._cause:
            return {"cause": self._cause, "spans": spans}
        if answer is None:
            return {**self._without_answer(process.oom_kills() - self._kills_before), "spans": spans}
        if isinstance(told := answer.get("failure"), dict):
            failure = cast("dict[str, Any]", told)
            out_of_memory = failure.get("type") == "MemoryError"
            return {"cause": "oom" if out_of_memory else "error", "failure": failure, "spans": spans}
        value = answer.get("value")
        size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
        if size > self._limit:
            return {"cause": "output", "spans": spans}
        return {"cause": "ok", "value": value, "spans": spans}

    def _without_answer(self, oom_kills: int) -> dict[str, Any]:
        if os.WIFSIGNALED(self._status):
            number = os.WTERMSIG(self._status)
            if number == signal.SIGKILL and oom_kills > 0:
                return {"cause": "oom"}
            name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
            return {"cause": "signal", "failure": _failure(name, f"the tool's process was ended by {name}")}
        code = os.waitstatus_to_exitcode(self._status)
        message = f"the tool ended its own process (exit code {code}) without returning"
        return {"cause": "error", "failure": _failure("ToolExited", message)}


def _noted(number: int, frame: object) -> None:
    """Only a signal with a handler wakes the runner."""


def _failure(name: str, message: str) -> dict[str, str]:
    return {"type": name, "message": message, "traceback": ""}
