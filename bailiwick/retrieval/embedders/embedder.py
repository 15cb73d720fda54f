"""What turns texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Embedder", "LangChainEmbedder", "Manners", "Vectors", "manners_of"]

Vectors = NDArray[np.float32]
"""One row per text."""


class Embedder(Protocol):
    """Makes vectors; called from several threads. Those made under one ``name`` may be compared."""

    @property
    def name(self) -> str:
        """What the index remembers it by."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> Vectors: ...

    def embed_question(self, text: str) -> Vectors:
        """A single row."""
        ...


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How an embedder is best asked. The default suits one that computes in this process."""

    requests_at_once: int = 1
    texts_at_once: int = 256
    """At most; fewer where answers are slow or the server finds them too many."""


def manners_of(embedder: Embedder) -> Manners:
    """Those that it names as its ``manners``, or the default."""
    manners = getattr(embedder, "manners", None)
    return manners if isinstance(manners, Manners) else Manners()


class LangChainEmbedder:
    """Any LangChain embeddings, under the name they were asked for by. Taken to be a server, so asked side by side."""

    manners = Manners(requests_at_once=8, texts_at_once=64)

    def __init__(self, name: str, embeddings: Any) -> None:
        self.name = name
        self._embeddings = embeddings

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return np.asarray(self._embeddings.embed_documents(list(texts)), dtype=np.float32)

    def embed_question(self, text: str) -> Vectors:
        return np.asarray([self._embeddings.embed_query(text)], dtype=np.float32)
