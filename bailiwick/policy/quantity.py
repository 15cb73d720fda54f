"""Sizes and durations as people write them in a policy: ``128Mi``, ``64Ki``, ``5s``, ``15m``, ``1d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

__all__ = ["Bytes", "Duration", "parse_bytes", "parse_duration"]

_BYTES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_bytes(value: object) -> int:
    """``"64Ki"`` → 65536. Plain non-negative integers are bytes. Raises ValueError with the accepted form."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = re.fullmatch(r"(\d+)(Ki|Mi|Gi|K|M|G)?", value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not a size; write it like 64Ki, 128Mi or 1Gi")
    return int(match[1]) * _BYTES[match[2] or ""]


def parse_duration(value: object) -> timedelta:
    """``"15m"`` → 15 minutes. Plain positive numbers are seconds. Raises ValueError with the accepted form."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return timedelta(seconds=value)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError("not a duration; write it like 500ms, 5s, 15m or 1d")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


Bytes = Annotated[int, BeforeValidator(parse_bytes)]
Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(lambda d: f"{d.total_seconds():g}s", return_type=str)
]
