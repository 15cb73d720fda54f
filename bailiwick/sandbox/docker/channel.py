"""A container's attached streams, as the engine multiplexes them.

Without a terminal it puts 8 bytes before each piece: the stream's number, three zeros, the length.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from typing import Any

from bailiwick.sandbox.conversation import ChannelEnded

__all__ = ["AttachedChannel", "raw_socket"]

_PIECE = struct.Struct(">BxxxI")
_STDOUT = 1
_TOLD = 2000


class AttachedChannel:
    """stdin and stdout as a ``Channel``; stderr is kept, bounded, to say why a runner did not start."""

    def __init__(self, attached: socket.socket) -> None:
        self._socket = attached
        self._out = bytearray()
        self._raw = bytearray()
        self._told = bytearray()

    def send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            self._socket.settimeout(_left(deadline))
            try:
                view = view[self._socket.send(view) :]
            except TimeoutError:
                raise
            except OSError as error:
                raise ChannelEnded(str(error)) from None

    def receive(self, size: int, deadline: float) -> bytes:
        while len(self._out) < size:
            self._more(deadline)
        data = bytes(self._out[:size])
        del self._out[:size]
        return data

    def silent(self) -> bool:
        if self._out or self._raw:
            return False
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return not waiting.poll(0)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _more(self, deadline: float) -> None:
        self._socket.settimeout(_left(deadline))
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelEnded(str(error)) from None
        if not data:
            raise ChannelEnded(self._told.decode(errors="replace").strip() or "its output ended")
        self._raw += data
        while len(self._raw) >= _PIECE.size:
            stream, size = _PIECE.unpack_from(self._raw)
            if len(self._raw) < _PIECE.size + size:
                return
            piece = self._raw[_PIECE.size : _PIECE.size + size]
            del self._raw[: _PIECE.size + size]
            if stream == _STDOUT:
                self._out += piece
            else:
                self._told += piece[: max(0, _TOLD - len(self._told))]


def raw_socket(attached: Any) -> socket.socket:
    """The socket behind what docker-py's ``attach_socket`` gives, which is a file object over plain HTTP."""
    return getattr(attached, "_sock", attached)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
