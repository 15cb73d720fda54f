"""Passages that say the same as a better one, so that a result does not say one thing four times."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

__all__ = ["without_repeats"]

SAME = 0.9
"""Share of three-word sequences that two passages have in common (Broder, 1997: resemblance of shingled documents)."""

_WORD = re.compile(r"\w+")


def without_repeats(ranked: Sequence[str], texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Of ``ranked``, best first, those that are no repeats, each with its repeats."""
    kept: dict[str, list[str]] = {}
    shingles: dict[str, frozenset[tuple[str, ...]]] = {}
    for name in ranked:
        own = _shingles(texts[name])
        original = next((other for other in kept if _resemblance(own, shingles[other]) >= SAME), None)
        if original is None:
            kept[name] = []
            shingles[name] = own
        else:
            kept[original].append(name)
    return kept


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return frozenset(tuple(words[at : at + 3]) for at in range(max(1, len(words) - 2)))


def _resemblance(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    small, large = sorted((len(one), len(other)))
    if small < SAME * large:  # they cannot have that much in common
        return 0.0
    common = len(one & other)
    return common / (small + large - common)
