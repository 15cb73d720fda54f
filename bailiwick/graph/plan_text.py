"""A plan out of a model's words, however it wraps them."""

from __future__ import annotations

import json
import re
from typing import Any, cast

__all__ = ["read_plan"]

_LONGEST = 500
"""Characters of a step."""
_ITEM = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+(.+)$", re.MULTILINE)
_DECODER = json.JSONDecoder()


def read_plan(text: str) -> list[str] | None:
    """The first JSON list of texts in ``text``, else its list items. None: it holds neither. Empty: no step."""
    for bracket in re.finditer(r"\[", text):
        try:
            found: Any = _DECODER.raw_decode(text, bracket.start())[0]
        except ValueError:
            continue
        except RecursionError:  # thousands of brackets, which are no plan
            return None
        steps = [_step(item) for item in cast("list[Any]", found)]
        if all(steps):
            return steps
    return [item.strip()[:_LONGEST] for item in _ITEM.findall(text)] or None


def _step(item: Any) -> str:
    """A step that is a text, or an object with one. Empty: it is neither."""
    if isinstance(item, dict):
        item = next((value for value in cast("dict[str, Any]", item).values() if isinstance(value, str)), "")
    return item.strip()[:_LONGEST] if isinstance(item, str) else ""
