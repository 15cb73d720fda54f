"""What turns texts into vectors, and how all of them get theirs exactly once."""

from bailiwick.retrieval.embedders.embedder import Embedder, LangChainEmbedder, Manners, Vectors, manners_of
from bailiwick.retrieval.embedders.embedding import Embedding
from bailiwick.retrieval.embedders.make_embedder import default_embedder, make_embedder

__all__ = [
    "Embedder",
    "Embedding",
    "LangChainEmbedder",
    "Manners",
    "Vectors",
    "default_embedder",
    "make_embedder",
    "manners_of",
]
