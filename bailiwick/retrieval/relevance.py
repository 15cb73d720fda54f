"""Whether what was found speaks of what was asked, or is only the nearest there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["is_relevant"]

# Chosen on tests/retrieval/questions.csv and desk_questions.csv: right about 95 of 100 ordinary questions, and as few
# as may be of those that use other words than the documents called beside the point. An embedder whose cosines are
# higher throughout errs towards relevant, and leaves it to the model to say that a passage does not help.
SHARE = 0.25
"""What the share of the question's words counts beside the cosine."""
STATIC = 0.34
CONTEXTUAL = 0.31
"""What both must come to. Fitted with MiniLM."""
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
    least = STATIC if embedder == "static" else CONTEXTUAL
    return any(similarities.get(passage, 0.0) + SHARE * shares.get(passage, 0.0) >= least for passage in passages)
