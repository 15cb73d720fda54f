"""From an embedder's name to the embedder."""

from __future__ import annotations

import os

from bailiwick.errors import ModelNotConfigured
from bailiwick.retrieval.embedders.embedder import Embedder, LangChainEmbedder
from bailiwick.retrieval.embedders.minilm_embedder import MiniLMEmbedder, minilm_folder
from bailiwick.retrieval.embedders.static_embedder import StaticEmbedder

__all__ = ["SETTING", "default_embedder", "make_embedder"]

SETTING = "BAILIWICK_EMBEDDER"


def default_embedder() -> str:
    """What ``auto`` is for a new index: what BAILIWICK_EMBEDDER names, else minilm if it is here, else static."""
    return os.environ.get(SETTING, "").strip() or ("minilm" if minilm_folder() else "static")


def make_embedder(name: str) -> Embedder:
    """The embedder called ``name``: ``static``, ``minilm``, or ``provider:model`` as ``init_embeddings`` knows it.

    Raises ModelNotConfigured for a name that is unknown, or whose package, key or weights are missing.
    """
    match name:
        case "static":
            return StaticEmbedder.load()
        case "minilm":
            return MiniLMEmbedder.load()
        case _:
            return _from_langchain(name)


def _from_langchain(name: str) -> Embedder:
    try:
        # Only where it is asked for: LangChain's embeddings take a second to import.
        from langchain.embeddings import init_embeddings

        try:
            # Its own retries would hide from us how fast the server may be asked.
            return LangChainEmbedder(name, init_embeddings(name, max_retries=0))
        except (TypeError, ValueError) as error:
            if "max_retries" not in str(error):
                raise
            return LangChainEmbedder(name, init_embeddings(name))
    except ImportError as error:
        raise ModelNotConfigured(f"the embedder {name!r} needs a package: {error}", fix="install it") from error
    except Exception as error:  # each provider has its own way of missing its key
        raise ModelNotConfigured(
            f"there is no embedder {name!r}: {error}",
            fix='use "static", "minilm", or provider:model and the provider\'s key',
        ) from error
