"""Placeholder until the forwarder lands."""

from typing import Any


def listen(config: Any) -> list[Any]:
    return []


def serve(listeners: list[Any], config: Any) -> int:
    return 0


def environment(config: Any) -> dict[str, str]:
    return {}
