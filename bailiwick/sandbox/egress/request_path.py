"""One spelling for a request's path, so that a limit on paths holds for what the server will read."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

__all__ = ["plain_path", "within"]

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(rb"[A-Za-z0-9_~-]")  # without the dot, which an escape may not hide
_HIDDEN = re.compile(r"%(?:25)*(?:2e|2f|5c|00)", re.IGNORECASE)


def plain_path(path: str) -> str | None:
    """``path`` with needless escapes undone; None when a server could read it as another one."""
    if not path.startswith("/") or "//" in path or "\\" in path or _HIDDEN.search(path):
        return None
    if any(segment.partition(";")[0] in (".", "..") for segment in path.split("/")):
        return None
    if "%" in _ESCAPE.sub("", path):
        return None
    return _ESCAPE.sub(_plain, path)


def within(path: str, beginnings: tuple[str, ...]) -> bool:
    """Whether a plain path begins with one of ``beginnings``, by whole segments. Empty: any path does."""
    if not beginnings:
        return True
    return any(path == each or path.startswith(each if each.endswith("/") else each + "/") for each in beginnings)


def _plain(match: re.Match[str]) -> str:
    byte = unquote_to_bytes(match[0])
    return byte.decode() if _UNRESERVED.fullmatch(byte) else match[0].upper()
