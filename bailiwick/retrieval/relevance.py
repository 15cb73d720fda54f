"""Whether what was found speaks of what was asked, or is only the nearest there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["is_relevant"]


def is_relevant(passages: Iterable[str], similarities: Mapping[str, float] | None, shares: Mapping[str, float]) -> bool:
    """To be tuned."""
    return any(shares.get(name, 0.0) > 0.4 or (similarities or {}).get(name, 0.0) > 0.4 for name in passages)
