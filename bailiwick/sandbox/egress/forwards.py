"""Placeholder."""

from typing import Any


def forwards(endpoints: Any) -> dict[str, Any]:
    return {}
