"""What the one call of this process knows. Filled by ``child.py``, read by the ``bailiwick`` that tools import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["forget", "idempotency_key", "secrets", "send_span", "started_ns", "tools"]

tools: list[Callable[..., Any]] = []
"""Functions under ``@tool``, in the order of the file."""
secrets: Mapping[str, str] = {}
idempotency_key: str = ""
started_ns: int = 0
"""When the call began, in monotonic time; spans count from here."""


def forget(span: dict[str, Any]) -> None:
    """Nobody asked for spans."""


send_span: Callable[[dict[str, Any]], None] = forget
