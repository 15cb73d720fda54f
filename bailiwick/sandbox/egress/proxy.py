"""Placeholder."""

from pathlib import Path
from typing import Any


class EgressEvent: ...


class Door:
    folder: Path
    hosts: Path

    def begin(self) -> None: ...
    def end(self) -> tuple[Any, ...]:
        return ()

    def close(self) -> None: ...


class EgressProxy:
    def __init__(self, folder: Path) -> None: ...
    def open(self, endpoints: Any, *, byte_limit: int) -> Door:
        return Door()

    def close(self) -> None: ...
