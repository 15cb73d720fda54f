"""Several rankings made into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bailiwick.retrieval.candidates import Candidate

__all__ = ["fuse"]

DAMPING = 3


def fuse(found: Sequence[Candidate], shares: Mapping[str, float], *, hybrid: bool) -> list[tuple[str, float]]:
    """Candidates with their scores, best first."""
    sums: dict[str, float] = {}
    for ranking in (
        sorted((each for each in found if each.cosine is not None), key=lambda each: -(each.cosine or 0.0)),
        sorted((each for each in found if each.bm25 is not None), key=lambda each: -(each.bm25 or 0.0)),
    ):
        for rank, each in enumerate(ranking, start=1):
            sums[each.id] = sums.get(each.id, 0.0) + 1 / (DAMPING + rank)
    return sorted(sums.items(), key=lambda entry: (-entry[1], entry[0]))
