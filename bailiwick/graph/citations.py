"""From ``[2]`` in an answer to the passage it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["cited_passages"]

_MARK = re.compile(r"\[(\d{1,2})\]")


def cited_passages(text: str, passages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The passages that ``text`` cites, in the order of their first mark, each with its ``number``.

    A number that was never offered stands for nothing and is left out.
    """
    numbers = dict.fromkeys(int(mark) for mark in _MARK.findall(text))
    return [{**passages[n - 1], "number": n} for n in numbers if 1 <= n <= len(passages)]
