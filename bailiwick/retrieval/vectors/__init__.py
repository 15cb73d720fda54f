"""The vectors, in Chroma: in a folder of this machine, or on Chroma servers."""

from bailiwick.retrieval.vectors.local_vectors import LocalVectors
from bailiwick.retrieval.vectors.open_vectors import open_vectors
from bailiwick.retrieval.vectors.served_vectors import ServedVectors
from bailiwick.retrieval.vectors.vectors import Nearest, Ranking, Target, VectorRoom, mismatch

__all__ = [
    "LocalVectors",
    "Nearest",
    "Ranking",
    "ServedVectors",
    "Target",
    "VectorRoom",
    "mismatch",
    "open_vectors",
]
