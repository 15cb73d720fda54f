"""A child's stdin and stdout as a ``Channel``."""

from __future__ import annotations

import os
import select
import time

from bailiwick.sandbox.conversation import ChannelEnded

__all__ = ["PipeChannel"]

_TOLD = 2000


class PipeChannel:
    """Pipes with deadlines. ``first`` is a pidfd of the process at their other end.

    ``told`` is read at the end only, to say why a runner did not start.
    """

    def __init__(self, sink: int, source: int, told: int, first: int) -> None:
        self._sink, self._source, self._told, self._first = sink, source, told, first
        for descriptor in (sink, source, told):
            os.set_blocking(descriptor, False)

    def send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            if not _ready(self._sink, select.POLLOUT, deadline):
                raise TimeoutError
            try:
                view = view[os.write(self._sink, view[:65_536]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChannelEnded(str(error)) from None

    def receive(self, size: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            if not _ready(self._source, select.POLLIN, deadline):
                raise TimeoutError
            try:
                data = os.read(self._source, min(65_536, size - len(parts)))
            except OSError as error:
                raise ChannelEnded(str(error)) from None
            if not data:
                raise ChannelEnded(self._why() or "its output ended")
            parts += data
        return bytes(parts)

    def silent(self) -> bool:
        waiting = select.poll()
        waiting.register(self._source, select.POLLIN)
        waiting.register(self._first, select.POLLIN)  # readable once its process has ended
        return not waiting.poll(0)

    def _why(self) -> str:
        try:
            return os.read(self._told, _TOLD).decode(errors="replace").strip()
        except OSError:
            return ""


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _ready(descriptor: int, events: int, deadline: float) -> bool:
    # poll, since select cannot watch a descriptor above 1023
    waiting = select.poll()
    waiting.register(descriptor, events)
    return bool(waiting.poll(_left(deadline) * 1000))
