"""A second look at the best candidates, by a model that reads question and passage together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Reranker"]


class Reranker(Protocol):
    """Scores passages; called from a thread, and given up when it is late: then the order stays as it was."""

    @property
    def name(self) -> str:
        """How it is called in results that are degraded by its absence."""
        ...

    def rerank(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        """One score per passage, larger for better ones; of any scale."""
        ...
