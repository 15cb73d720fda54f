"""What turns texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bailiwick.errors import ModelNotConfigured

__all__ = ["Embedder", "LangChainEmbedder", "Vectors", "make_embedder"]

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


def make_embedder(name: str) -> Embedder:
    """The embedder called ``name``: ``static``, or ``provider:model`` as LangChain's ``init_embeddings`` knows it.

    Raises ModelNotConfigured for a name that is unknown, or whose package or key is missing.
    """
    if name == "static":
        from bailiwick.retrieval.static_embedder import StaticEmbedder

        return StaticEmbedder.load()
    from langchain.embeddings import init_embeddings

    try:
        return LangChainEmbedder(name, init_embeddings(name))
    except ImportError as error:
        raise ModelNotConfigured(f"the embedder {name!r} needs a package: {error}", fix="install it") from error
    except Exception as error:  # each provider has its own way of missing its key
        raise ModelNotConfigured(
            f"there is no embedder {name!r}: {error}", fix='use "static", or provider:model and the provider\'s key'
        ) from error
