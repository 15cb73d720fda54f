"""What a child says: text on two streams, kept up to a bound, and frames on its own pipe."""

from __future__ import annotations

from typing import Any

from bailiwick.sandbox.inside import wire

__all__ = ["SPANS", "Bounded", "Told"]

SPANS = 64
"""Spans that one call may show."""


class Bounded:
    """Keeps the first ``limit`` bytes and counts the rest."""

    def __init__(self) -> None:
        self.kept, self.total = bytearray(), 0

    def add(self, data: bytes, limit: int) -> None:
        self.total += len(data)
        self.kept += data[: max(0, limit - len(self.kept))]

    def text(self, limit: int) -> str:
        kept = bytes(self.kept[:limit])
        left_out = self.total - len(kept)
        told = kept.decode("utf-8", "replace")
        return f"{told}\n[{left_out} more bytes were left out]" if left_out else told


class Told:
    """Frames of a child: that it is loaded, any number of spans, then one answer. What is no frame ends the reading."""

    def __init__(self) -> None:
        self.loaded, self.total = False, 0
        self.spans: list[Any] = []
        self.answer: dict[str, Any] | None = None
        self._buffer = bytearray()
        self._ended = False

    def add(self, data: bytes) -> None:
        self.total += len(data)
        if self._ended:
            return
        self._buffer += data
        while not self._ended and len(self._buffer) >= wire.HEADER.size:
            (size,) = wire.HEADER.unpack_from(self._buffer)
            whole = wire.HEADER.size + size
            if len(self._buffer) < whole:
                return
            try:
                self._take(wire.decode(bytes(self._buffer[wire.HEADER.size : whole]), wire.DEPTH - 1))
            except (wire.WireError, UnicodeDecodeError):
                self._ended = True
            del self._buffer[:whole]

    def _take(self, message: dict[str, Any]) -> None:
        if "loaded" in message:
            self.loaded = True
        elif "span" not in message:
            self.answer, self._ended = message, True
        elif len(self.spans) < SPANS:
            self.spans.append(message["span"])
