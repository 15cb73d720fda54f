"""Telling whoever runs a graph what happens in it, while it happens.

A node tells it to LangGraph's custom stream, for all that read streams. A program that only wants the end of a turn
need not open that stream, which costs LangGraph a task in every step: it listens here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["listening", "tell"]

Listener = Callable[[Mapping[str, Any]], None]

_listener: ContextVar[Listener | None] = ContextVar("bailiwick_listener", default=None)


def tell(write: Listener, event: Mapping[str, Any]) -> None:
    """Hand ``event`` to the stream, by LangGraph's ``write``, and to who listens."""
    write(event)
    if (listener := _listener.get()) is not None:
        listener(event)


@contextmanager
def listening(to: Listener) -> Generator[None]:
    """Give every event that is told inside to ``to``, from whatever node, subgraph or thread."""
    token = _listener.set(to)
    try:
        yield
    finally:
        _listener.reset(token)
