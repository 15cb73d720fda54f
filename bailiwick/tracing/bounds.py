"""How much of a value a span carries. Spans say what happened; the full text lies in the conversation's checkpoints."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["ANSWER", "CONTENT", "IDENTIFIER", "bounded", "bounded_json"]

ANSWER = 8_000
"""Characters of a question, an answer, or a tool's arguments or result."""

CONTENT = 2_000
"""Characters of one message or one passage among several."""

IDENTIFIER = 200
"""Characters of a name, a rule or an id."""


def bounded(text: str, limit: int) -> str:
    """``text``, or its beginning with a note of how many characters were left out."""
    return text if len(text) <= limit else f"{text[:limit]}… [{len(text) - limit} characters left out]"


def bounded_json(value: Any, limit: int) -> tuple[str, str]:
    """``value`` as text of at most ``limit`` characters, and its MIME type: cut JSON is no longer JSON."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return (text, "application/json") if len(text) <= limit else (bounded(text, limit), "text/plain")
