"""The one thin door from synchronous code into the asynchronous rooms."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["run_sync"]

T = TypeVar("T")


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end and return its value, also where an event loop is already running in this thread.

    A thread of its own with a copy of the context, so that spans and the deadline reach the work. An exception of
    ``work`` is raised here.
    """
    values: list[T] = []
    errors: list[BaseException] = []
    context = contextvars.copy_context()

    def target() -> None:
        try:
            values.append(context.run(asyncio.run, work))
        except BaseException as error:  # noqa: BLE001  handed over to the caller's thread and raised there
            errors.append(error)

    thread = threading.Thread(target=target, name="bailiwick-sync-door")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return values[0]
