"""Two rankings made into one that loses as little as can be to the better of the two, whichever that is.

Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009) sees ranks alone and trusts both indexes the same; it
lost up to 20 points of nDCG@5 to the better one on the sets in docs/figures.md. Scores, brought to a common measure,
say more (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", 2023), and which of the two is
to be trusted can be told from the question and the passages: words are worth the more, the more of the question's own
words the best passages have, and, beside vectors that are means over words, the longer passages are. So three measures
are added up with weights that depend on these two. They were fitted to thirty question sets (listwise, each set
counting the same, those where the fusion lost counting more).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bailiwick.documents import indexed_text
from bailiwick.retrieval.candidates import Candidate

__all__ = ["fuse"]

_Weights = tuple[tuple[float, float, float], ...]
"""Of cosine, BM25 and share of the question's words, each: alone, times that share, times the logarithm of length."""

_STATIC: _Weights = ((1.318, -0.824, -0.667), (-0.828, 0.151, 0.647), (-0.490, 0.673, 0.020))
_CONTEXTUAL: _Weights = ((1.399, -0.570, -0.113), (-1.017, 0.151, 0.070), (-0.383, 0.420, 0.043))
"""Fitted with MiniLM."""

USUAL_LENGTH = 300
FIRST = 3


def fuse(
    found: Sequence[Candidate], shares: Mapping[str, float], *, embedder: str = "static"
) -> list[tuple[str, float]]:
    """Ids of the candidates with their scores between 0 and 1, best first; by the one measure there is, where only one.

    ``shares``: how much of what the question asks each passage says. Equal scores are told apart by id, so that the
    same search gives the same order.
    """
    cosines = {each.id: each.cosine for each in found if each.cosine is not None}
    words = {each.id: each.bm25 for each in found if each.bm25 is not None}
    measures = [_spread(cosines), _of_the_best(words), _spread(shares)]
    match bool(cosines), bool(words):
        case True, True:
            weights = _weights(found, words, shares, _STATIC if embedder == "static" else _CONTEXTUAL)
        case True, False:
            weights = [1.0, 0.0, 0.0]
        case _:
            weights = [0.0, 1.0, 0.0]
    scores = {
        each.id: sum(weight * measure.get(each.id, 0.0) for weight, measure in zip(weights, measures, strict=True))
        for each in found
    }
    return sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))


def _weights(
    found: Sequence[Candidate], words: Mapping[str, float], shares: Mapping[str, float], fitted: _Weights
) -> list[float]:
    first = sorted(words, key=lambda name: (-words[name], name))[:FIRST]
    share = max((shares.get(name, 0.0) for name in first), default=0.0)
    length = sum(len(indexed_text(each.heading, each.text)) for each in found) / len(found)
    given = (1.0, share, math.log(max(length, 1.0) / USUAL_LENGTH))
    powers = [math.exp(sum(weight * value for weight, value in zip(row, given, strict=True))) for row in fitted]
    return [power / sum(powers) for power in powers]


def _spread(scores: Mapping[str, float]) -> dict[str, float]:
    """Between 0, the lowest of these, and 1, the highest."""
    low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
    return {name: (score - low) / max(high - low, 1e-9) for name, score in scores.items()}


def _of_the_best(scores: Mapping[str, float]) -> dict[str, float]:
    """Shares of the highest: for BM25, where 0 means something."""
    high = max(scores.values(), default=0.0)
    return {name: score / max(high, 1e-9) for name, score in scores.items()}
