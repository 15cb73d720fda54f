"""From one setting to where the vectors are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bailiwick.retrieval.embedders import Embedder
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vectors.local_vectors import LocalVectors
from bailiwick.retrieval.vectors.served_vectors import ServedVectors
from bailiwick.retrieval.vectors.vectors import VectorRoom

__all__ = ["SETTING", "open_vectors"]

SETTING = "BAILIWICK_CHROMA"


def open_vectors(
    folder: Path, store: Store, embedder: str | Embedder, *, servers: Sequence[str] | None = None
) -> VectorRoom:
    """On ``servers``; None: on those that BAILIWICK_CHROMA names, separated by commas. Empty: in ``folder``.

    Raises ConfigError for an address that is none.
    """
    if servers is None:
        servers = [each.strip() for each in os.environ.get(SETTING, "").split(",") if each.strip()]
    return ServedVectors(servers, store, embedder) if servers else LocalVectors(folder, store, embedder)
