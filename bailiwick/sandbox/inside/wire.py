"""Frames between host, runner and tool: four bytes of length, then one JSON object, bounded in bytes and in depth.

Never pickle: whoever can write a pickle runs code in whoever reads it. Both sides use this file, so that neither
reads what the other would not write.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from typing import Any, cast

__all__ = ["DEPTH", "HEADER", "REQUEST_BYTES", "WireError", "clean", "decode", "depth_exceeds", "encode", "read_frame"]

HEADER = struct.Struct(">I")
DEPTH = 64
"""Levels of nesting that either side reads."""
REQUEST_BYTES = 8 * 2**20
"""The largest request a runner reads."""

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


class WireError(Exception):
    """Raised for what is no frame: too long, too deep, not JSON, or not an object."""


def encode(message: dict[str, Any]) -> bytes:
    """``message`` as a frame. Raises ValueError or TypeError for what is not JSON."""
    body = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return HEADER.pack(len(body)) + body


def decode(body: bytes, depth: int = DEPTH) -> dict[str, Any]:
    """The object in a frame's body; its depth is looked at before anything is built from it."""
    if depth_exceeds(body, depth):
        raise WireError(f"nested deeper than {depth} levels")
    try:
        message: Any = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise WireError("not an object")
    return cast("dict[str, Any]", message)


def read_frame(read: Callable[[int], bytes], bound: int) -> dict[str, Any]:
    """One frame through ``read(size)``, which gives exactly that many bytes or raises what it likes."""
    (size,) = HEADER.unpack(read(HEADER.size))
    if size > bound:
        raise WireError(f"a frame of {size} bytes, and {bound} is the bound")
    return decode(read(size))


def depth_exceeds(body: bytes, depth: int) -> bool:
    """Whether ``body`` opens more than ``depth`` brackets at once, outside of strings."""
    if body.count(b"[") + body.count(b"{") <= depth:
        return False
    level = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", body)):
        level += 1 if bracket[0] in b"[{" else -1
        if level > depth:
            return True
    return False


def clean(text: str, limit: int) -> str:
    """``text`` that can be sent: at most ``limit`` characters, lone surrogates escaped."""
    cut = text if len(text) <= limit else text[:limit] + "…"
    return cut.encode("utf-8", "backslashreplace").decode()


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
