"""From an embedder's name to the embedder."""

from __future__ import annotations

from bailiwick.errors import ModelNotConfigured
from bailiwick.retrieval.embedder import Embedder, LangChainEmbedder
from bailiwick.retrieval.static_embedder import StaticEmbedder

__all__ = ["make_embedder"]


def make_embedder(name: str) -> Embedder:
    """The embedder called ``name``: ``static``, or ``provider:model`` as LangChain's ``init_embeddings`` knows it.

    Raises ModelNotConfigured for a name that is unknown, or whose package or key is missing.
    """
    if name == "static":
        return StaticEmbedder.load()
    try:
        # Only where it is asked for: LangChain's embeddings take a second to import.
        from langchain.embeddings import init_embeddings

        return LangChainEmbedder(name, init_embeddings(name))
    except ImportError as error:
        raise ModelNotConfigured(f"the embedder {name!r} needs a package: {error}", fix="install it") from error
    except Exception as error:  # each provider has its own way of missing its key
        raise ModelNotConfigured(
            f"there is no embedder {name!r}: {error}", fix='use "static", or provider:model and the provider\'s key'
        ) from error
