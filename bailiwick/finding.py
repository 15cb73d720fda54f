"""What ``bailiwick doctor`` finds of one thing that a project needs; each room looks at its own."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. Empty ``fix``: there is nothing to do."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
