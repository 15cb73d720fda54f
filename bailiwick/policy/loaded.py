"""A policy together with the place it was read from, so that every verdict can name file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bailiwick.policy.model import Policy

__all__ = ["LoadedPolicy"]


# Compared by identity: the gate keeps what it compiled for each one, and lines are no part of what a policy means.
@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedPolicy:
    """A policy and where it is written. Empty ``lines``: it was written in code, and only the file is known."""

    policy: Policy
    file: Path
    lines: Mapping[str, int] = field(default_factory=dict[str, int])
    """From a dotted key, such as ``rules.0.args.amount.le``, to its line, counted from 1."""

    def line(self, key: str) -> int | None:
        """The line of ``key``, or of the nearest key around it that has one."""
        while key and key not in self.lines:
            key = key.rpartition(".")[0]
        return self.lines.get(key)

    def where(self, key: str) -> str:
        """``file:line`` of ``key``; only the file where no line is known."""
        line = self.line(key)
        return str(self.file) if line is None else f"{self.file}:{line}"
