"""The moments at which a process is killed: it stops dead there and waits for it."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Points", "draw_point"]

LEDGER = ("begin", "finish", "reopen", "settle", "ask", "answer")
SAVER = ("checkpoint", "writes")
BOTH = ("the effect", "the model", "the approval")


def draw_point(draw: random.Random, system: str) -> tuple[str, int]:
    """A point and which time it is reached. What only Bailiwick has is not drawn for the other."""
    names = SAVER + BOTH + (LEDGER if system == "bailiwick" else ())
    name = draw.choice(names)
    most = 8 if name in SAVER else 1 if name in ("settle", "answer", "reopen", "ask", "the approval") else 3
    return f"{draw.choice(('before', 'after'))} {name}", draw.randint(1, most)


@dataclass
class Points:
    """``target``: where to stop, at the ``nth`` time; empty: nowhere. ``tell`` is called when it is reached.

    ``begun`` is called once all is open and the conversation goes on. Not ``asks``: it only takes up what was asked; of
    two at once one asks, since what is asked twice is wanted twice.
    """

    target: str
    nth: int
    tell: Callable[[], None]
    begun: Callable[[], None]
    asks: bool = True

    def passed(self, where: str) -> None:
        if where != self.target:
            return
        self.nth -= 1
        if self.nth == 0:
            self.tell()
            time.sleep(3600)  # the whole event loop: what is killed does nothing more

    def hook(self, owner: type, method: str, name: str) -> None:
        """Pass ``before name`` and ``after name`` whenever the asynchronous ``method`` of ``owner`` runs."""
        real = getattr(owner, method)

        @functools.wraps(real)
        async def hooked(*args: Any, **kwargs: Any) -> Any:
            self.passed(f"before {name}")
            result = await real(*args, **kwargs)
            self.passed(f"after {name}")
            return result

        setattr(owner, method, hooked)
