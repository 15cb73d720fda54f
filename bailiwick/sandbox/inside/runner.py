"""The first process of a container: says that it is ready, takes one call, runs it in a child, answers and ends.

It is process 1 of its own namespace. So it can be signalled by nobody inside, inherits every orphan, and can end
everything else at once. It ends by itself when its stdin ends (the host died) and when nobody calls in time.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from bailiwick.sandbox.inside import process, wire
from bailiwick.sandbox.inside.child import SPANS, become_tool

__all__ = ["main"]

_FLOOD = 16
"""Times the bound on output after which a tool that does not stop writing is ended."""
_SPAN_BYTES = SPANS * 10_000
_CHUNK = 65_536


class HostGone(Exception):
    """Raised when stdin has ended: nobody is there to answer to."""


def main(arguments: list[str]) -> NoReturn:
    """Serve one call on stdin and stdout. ``arguments``: one JSON object ``{idle, enter?: {uid, gid, disk}}``."""
    try:
        settings = json.loads(arguments[0])
        if os.getpid() != 1:
            raise RuntimeError("the runner must be process 1 of its own pid namespace")
        if (enter := settings.get("enter")) is not None:
            process.enter(**enter)
        process.seal()
        # Process 1 gets only signals that it handles, and Python handles this one.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        source, sink = _take_protocol()
    except BaseException as error:
        os.write(2, f"bailiwick runner: {type(error).__name__}: {error}\n".encode())
        os._exit(70)
    try:
        _write(sink, wire.encode({"ready": 1, "python": sys.version.split()[0], "uid": os.getuid()}))
        call = wire.read_frame(_Reader(source, time.monotonic() + settings["idle"]), wire.REQUEST_BYTES)
        _write(sink, wire.encode(Serving(call, source).answer()))
    except (HostGone, wire.WireError, OSError):
        os._exit(71)
    finally:
        _end_all()
    os._exit(0)


def _take_protocol() -> tuple[int, int]:
    """Move the protocol away from 0 and 1, where a tool would find it, and put nothing in its place."""
    source, sink = os.dup(0), os.dup(1)  # not inheritable
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
    return source, sink


class _Reader:
    """Gives exactly as many bytes as asked for, until ``deadline``; raises HostGone at the end of the stream."""

    def __init__(self, source: int, deadline: float) -> None:
        self._source, self._deadline = source, deadline

    def __call__(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            left = self._deadline - time.monotonic()
            if left <= 0 or not select.select([self._source], [], [], left)[0]:
                raise HostGone
            part = os.read(self._source, min(_CHUNK, size - len(parts)))
            if not part:
                raise HostGone
            parts += part
        return bytes(parts)


class _Bounded:
    """Keeps the first ``limit`` bytes and counts the rest."""

    def __init__(self, limit: int) -> None:
        self.kept, self.total, self._limit = bytearray(), 0, limit

    def add(self, data: bytes) -> None:
        self.total += len(data)
        self.kept += data[: max(0, self._limit - len(self.kept))]

    def text(self) -> str:
        told = bytes(self.kept).decode("utf-8", "replace")
        left_out = self.total - len(self.kept)
        return f"{told}\n[{left_out} more bytes were left out]" if left_out else told


class Serving:
    """One call: a child, three pipes from it, and a deadline."""

    def __init__(self, call: Mapping[str, Any], source: int) -> None:
        self._call, self._source, self._limit = call, source, int(call["output"])
        self._said = {"out": _Bounded(self._limit), "err": _Bounded(self._limit)}
        self._report = _Bounded(self._limit * 2 + _SPAN_BYTES)
        self._pipes: dict[int, str] = {}
        self._child, self._status = 0, -1
        self._cause = ""

    def answer(self) -> dict[str, Any]:
        """Run the call to its end, end every process but this one, and give the reply."""
        kills_before = process.oom_kills()
        wake, wake_sink = os.pipe()
        for end in (wake, wake_sink):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, _noted)
        signal.set_wakeup_fd(wake_sink, warn_on_full_buffer=False)
        started_ns = time.monotonic_ns()
        self._fork(started_ns)
        self._watch(wake, time.monotonic() + float(self._call["time"]))
        wall_ms = (time.monotonic_ns() - started_ns) / 1e6
        self._reap()
        _end_all()
        self._drain()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        reply = self._outcome(process.oom_kills() - kills_before)
        return {
            **reply,
            "stdout": self._said["out"].text(),
            "stderr": self._said["err"].text(),
            "wall_ms": wall_ms,
            "cpu_ms": (used.ru_utime + used.ru_stime) * 1000,
            "peak_rss_bytes": used.ru_maxrss * 1024,
        }

    def _fork(self, started_ns: int) -> None:
        reads: dict[str, int] = {}
        writes: dict[str, int] = {}
        for name in ("report", "out", "err"):
            reads[name], writes[name] = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            become_tool(self._call, **writes, started_ns=started_ns)
        for name, descriptor in reads.items():
            os.close(writes[name])
            os.set_blocking(descriptor, False)
            self._pipes[descriptor] = name

    def _watch(self, wake: int, deadline: float) -> None:
        """Until the child has ended, time is up, or it said too much."""
        while self._status == -1 and not self._cause:
            left = deadline - time.monotonic()
            if left <= 0:
                self._cause = "timeout"
                return
            ready = select.select([wake, self._source, *self._pipes], [], [], left)[0]
            if self._source in ready:  # the host says nothing more during a call: this is its end
                _end_all()
                raise HostGone
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
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
        bounded = self._report if name == "report" else self._said[name]
        bounded.add(data)
        flooded = len(bounded.kept) < bounded.total if name == "report" else bounded.total > self._limit * _FLOOD
        if flooded and not self._cause:
            self._cause = "output"
        return True

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._child:
                    self._status = status

    def _drain(self) -> None:
        """Everybody who could write is dead, so every pipe has an end; a flooded one is not read to it."""
        for descriptor in list(self._pipes):
            while self._cause != "output" and self._read(descriptor):
                pass

    def _outcome(self, oom_kills: int) -> dict[str, Any]:
        spans, answer = self._told()
        if self._cause:
            return {"cause": self._cause, "spans": spans}
        if os.WIFSIGNALED(self._status):
            number = os.WTERMSIG(self._status)
            if number == signal.SIGKILL and oom_kills > 0:
                return {"cause": "oom", "spans": spans}
            name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
            failure = _failure(name, f"the tool's process was ended by {name}")
            return {"cause": "signal", "failure": failure, "spans": spans}
        if answer is None:
            code = os.waitstatus_to_exitcode(self._status)
            message = f"the tool ended its own process (exit code {code}) without returning"
            return {"cause": "error", "failure": _failure("ToolExited", message), "spans": spans}
        if isinstance(told := answer.get("failure"), dict):
            failure = cast("dict[str, Any]", told)
            out_of_memory = failure.get("type") == "MemoryError"
            return {"cause": "oom" if out_of_memory else "error", "failure": failure, "spans": spans}
        value = answer.get("value")
        size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
        if size > self._limit:
            return {"cause": "output", "spans": spans}
        return {"cause": "ok", "value": value, "spans": spans}

    def _told(self) -> tuple[list[Any], dict[str, Any] | None]:
        """The spans and the first answer among the frames; what is no frame ends the reading."""
        spans: list[Any] = []
        data, place = bytes(self._report.kept), 0
        while place + wire.HEADER.size <= len(data):
            (size,) = wire.HEADER.unpack_from(data, place)
            place += wire.HEADER.size
            try:
                message = wire.decode(data[place : place + size], wire.DEPTH - 1)
            except (wire.WireError, UnicodeDecodeError):
                return spans, None
            place += size
            if "span" not in message:
                return spans, message
            if len(spans) < SPANS:
                spans.append(message["span"])
        return spans, None


def _noted(number: int, frame: object) -> None:
    """Only a signal with a handler wakes the runner."""


def _failure(name: str, message: str) -> dict[str, str]:
    return {"type": name, "message": message, "traceback": ""}


def _end_all() -> None:
    """Kill every other process of the namespace and wait until none is left."""
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _write(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]
