"""The first process of a container: tells what it is, takes a call, runs it in a child, answers and ends.

It is process 1 of its own namespace. So it can be signalled by nobody inside, inherits every orphan, and can end
everything else at once. It ends by itself when its stdin ends (the host died) and when nobody calls in time. It never
imports a tool's code: a child does, before the call where the host wishes it, and waits for the call.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

from bailiwick.sandbox.inside import forward, probe, process, wire
from bailiwick.sandbox.inside.serving import HostGone, Serving

__all__ = ["main"]

_CHUNK = 65_536


def main(arguments: list[str]) -> NoReturn:
    """Serve on stdin and stdout. ``arguments``: one JSON object ``{idle, spec, keep?, egress?, enter?}``.

    ``keep``: call after call, each in a process of its own, for one conversation; else one call and no other.
    """
    try:
        settings = json.loads(arguments[0])
        if os.getpid() != 1:
            raise RuntimeError("the runner must be process 1 of its own pid namespace")
        egress = settings.get("egress")
        listeners = forward.listen(egress) if egress else []
        if (enter := settings.get("enter")) is not None:
            process.enter(**enter)
        process.seal()
        # Process 1 gets only signals that it handles, and Python handles this one.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        report = probe.look()
        source, sink = _take_protocol()
    except BaseException as error:
        os.write(2, f"bailiwick runner: {type(error).__name__}: {error}\n".encode())
        os._exit(70)
    hello = {"ready": 1, "python": sys.version.split()[0], "spec": settings.get("spec"), "report": report}
    serving = Serving(source, egress, listeners)
    try:
        _write(sink, wire.encode(hello))
        _serve(serving, source, sink, settings["idle"])
        while settings.get("keep"):
            _serve(serving, source, sink, settings["idle"])
    except (HostGone, wire.WireError, OSError):
        os._exit(71)
    finally:
        serving.end_all()
    os._exit(0)


def _serve(serving: Serving, source: int, sink: int, idle: float) -> None:
    """Take one call, and before it the wish to have its tool loaded; answer, and leave no other process."""
    serving.begin()
    deadline = time.monotonic() + idle
    message = _read(source, deadline)
    if message["op"] == "load":
        _write(sink, wire.encode({"loaded": serving.load(message)}))
        serving.wait(deadline)
        message = _read(source, deadline)
    serving.prepare(message)
    secrets = _secrets(source, int(message["secret_bytes"]), deadline)
    _write(sink, wire.encode(serving.answer(message, secrets)))


def _take_protocol() -> tuple[int, int]:
    """Move the protocol away from 0 and 1, where a tool would find it, and put nothing in its place."""
    source, sink = os.dup(0), os.dup(1)  # not inheritable
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
    return source, sink


def _read(source: int, deadline: float) -> dict[str, Any]:
    """One frame of the host's, until ``deadline``. Raises HostGone at the end of the stream."""

    def read(size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([source], [], [], left)[0]:
                raise HostGone
            part = os.read(source, min(_CHUNK, size - len(parts)))
            if not part:
                raise HostGone
            parts += part
        return bytes(parts)

    return wire.read_frame(read, wire.REQUEST_BYTES)


def _secrets(source: int, size: int, deadline: float) -> bytearray:
    """The frame with the call's secrets, unread, in memory that can be wiped. Nothing is forked while it is here."""
    if not 0 <= size <= wire.REQUEST_BYTES:
        raise wire.WireError("secrets of no size")
    secrets = bytearray(size)
    view, place = memoryview(secrets), 0
    while place < size:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([source], [], [], left)[0]:
            raise HostGone
        part = os.readv(source, [view[place:]])
        if part == 0:
            raise HostGone
        place += part
    return secrets


def _write(sink: int, data: bytes) -> None:
    while data:
        data = data[os.write(sink, data) :]
