"""Whether what was found speaks of what was asked, or is only the nearest there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["is_relevant"]

# Chosen on the questions marked "tuned" in tests/retrieval/questions.csv with the static embedder; what they do on the
# others is asserted there. An embedder whose cosines are higher throughout errs towards relevant, and leaves it to the
# model to say that a passage does not help.
BOTH = 0.99
"""Twice the cosine plus the share of the question's words: cosines of unlike texts lie closer together."""
VECTOR_SURE = 0.40
"""A cosine that says enough: the same thing asked in other words."""
KEYWORD_ALONE = 0.44


def is_relevant(
    passages: Iterable[str],
    similarities: Mapping[str, float] | None,
    shares: Mapping[str, float],
    *,
    embedder: str = "static",
) -> bool:
    """Whether any of the passages fits the question.

    ``similarities`` are cosines to the question, None when the vector index did not answer; a passage that is not among
    the nearest has none. ``shares`` are those of ``Weighing``.
    """
    if similarities is None:
        return any(shares.get(passage, 0.0) >= KEYWORD_ALONE for passage in passages)
    scores = [(similarities.get(passage, 0.0), shares.get(passage, 0.0)) for passage in passages]
    return any(cosine >= VECTOR_SURE or 2 * cosine + share >= BOTH for cosine, share in scores)
