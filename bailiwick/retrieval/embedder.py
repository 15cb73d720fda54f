"""What turns texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Embedder", "LangChainEmbedder", "Vectors"]

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


class LangChainEmbedder:
    """Any LangChain embeddings, under the name they were asked for by."""

    def __init__(self, name: str, embeddings: Any) -> None:
        self.name = name
        self._embeddings = embeddings

    def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return np.asarray(self._embeddings.embed_documents(list(texts)), dtype=np.float32)

    def embed_question(self, text: str) -> Vectors:
        return np.asarray([self._embeddings.embed_query(text)], dtype=np.float32)
