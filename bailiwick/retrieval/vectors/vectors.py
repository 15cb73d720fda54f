"""What an ingestion and a search need of the vectors, wherever they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bailiwick.errors import EmbedderMismatch
from bailiwick.retrieval.embedders import Embedder, Vectors

__all__ = ["BATCH", "Nearest", "Ranking", "Target", "VectorRoom", "mismatch"]

BATCH = 512
"""Vectors that are written together."""

Ranking = list[tuple[str, float]]
"""Ids and scores, best first."""


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """The answer of a vector index. Scores are cosines."""

    ranking: Ranking
    asked: Vectors | None = None
    """The question's vector, where it was made here."""
    note: str = ""
    """What is to be said of it: that a standby answered, say. Empty: nothing."""


class Target(Protocol):
    """An index that is being written."""

    @property
    def name(self) -> str: ...

    def ids(self) -> set[str]: ...

    def put(self, ids: Sequence[str], vectors: Vectors) -> None: ...

    def drop(self, ids: Sequence[str]) -> None: ...


class VectorRoom(Protocol):
    """The vectors of one knowledge, and the embedder that goes with them."""

    @property
    def servers(self) -> Sequence[str]:
        """Addresses of the servers that hold them. Empty: they are on this machine."""
        ...

    @property
    def embedder_name(self) -> str: ...

    def embedder(self) -> Embedder:
        """Raises ModelNotConfigured."""
        ...

    def stands(self) -> bool:
        """Whether there is an index in force."""
        ...

    def check_embedder(self) -> None:
        """Raise EmbedderMismatch when the index in force was made by another embedder than the one asked for."""
        ...

    def nearest(
        self, question: Vectors, at_most: int, *, among: Sequence[str] | None = None, seconds: float = 60.0
    ) -> Nearest:
        """The nearest passages to ``question`` (one row), nearest first; of ``among``, where given.

        Raises what Chroma raises, and TimeoutError after ``seconds`` where that can be told.
        """
        ...

    def ids(self) -> set[str]:
        """What the index in force holds. Raises as ``nearest``."""
        ...

    def for_writing(self) -> list[Target]:
        """The indexes to write to, the one that must take everything first. Raises EmbedderMismatch."""
        ...

    def written(self) -> None:
        """Tell everybody who searches, here and in other processes, that the vectors have changed."""
        ...

    def settle(self, tell: Callable[[int, int], None]) -> None:
        """After a run of writing that came to its end: leave the index as it is best read."""
        ...

    def rebuild(self, tell: Callable[[int, int], None], *, embedder: str | None = None) -> int:
        """Make the index anew from ``rag.db``; give how many vectors it has.

        What is searched meanwhile is the old one. With ``embedder`` another one makes the vectors from now on.
        """
        ...

    def close(self) -> None: ...


def mismatch(where: Path | str, made_by: str, asked: str) -> EmbedderMismatch:
    return EmbedderMismatch(
        f"the vectors were made by the embedder {made_by!r} and cannot be searched with {asked!r}",
        file=where,
        key="embedder",
        fix=f"open it with embedder={made_by!r}; or have all passages embedded anew:"
        f" bailiwick knowledge rebuild --embedder {asked}",
    )
