"""Values as they stand in a policy's file: on one line, and read back as what they were."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import yaml

__all__ = ["flow", "on_one_line"]

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_.-]*")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def flow(value: Any) -> str:
    """``{tool: lookup_order, same: [order_id]}``. JSON would not do: YAML reads its ``1e-07`` as a text."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, (int, float, Decimal)):
        return _number(value)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value)
        return "{" + ", ".join(f"{_text(str(name))}: {flow(item)}" for name, item in pairs.items()) + "}"
    return "[" + ", ".join(flow(item) for item in cast("Sequence[Any]", value)) + "]"


def on_one_line(text: str) -> str:
    """``text`` for a comment, which ends where a line does: nobody's words may become keys of a policy."""
    return _UNPRINTABLE.sub("?", " ".join(text.split()))


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    return _UNPRINTABLE.sub(_escaped, json.dumps(text, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _number(value: int | float | Decimal) -> str:
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    written = format(number, "f")
    if isinstance(value, float):
        return written if "." in written else f"{written}.0"
    return written.rstrip("0").rstrip(".") if "." in written else written
