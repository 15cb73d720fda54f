"""Something to say about a policy: what keeps it from being right, or what its author may not have meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bailiwick.errors import ConfigError

__all__ = ["Remark"]


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A ``problem`` is wrong; a ``warning`` may be meant. ``line`` None: it is about the whole file."""

    severity: Literal["problem", "warning"]
    message: str
    file: str
    line: int | None = None
    key: str = ""
    fix: str = ""

    @classmethod
    def of(cls, error: ConfigError) -> Remark:
        """The problem that ``error`` tells of."""
        return cls(
            severity="problem",
            message=error.problem,
            file=error.file or "",
            line=error.line,
            key=error.key or "",
            fix=error.fix or "",
        )

    @property
    def where(self) -> str:
        """``file:line``; only the file where no line is known."""
        return self.file if self.line is None else f"{self.file}:{self.line}"
