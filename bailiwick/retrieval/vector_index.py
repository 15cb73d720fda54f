"""The vectors, in Chroma. Made from ``rag.db`` and worth nothing by itself.

Two things that Chroma 1.5 does decide how it is used here. Its index on disk can be left half written by a kill while
it is flushed, and then finds half of its vectors without an error; so it is never flushed (``sync_threshold``) and read
from its log instead. And a client that is open does not see what another process wrote; so it is opened anew when
``rag.db`` says that there was a change.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bailiwick.errors import EmbedderMismatch
from bailiwick.retrieval.embedder import Vectors

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

__all__ = ["VectorIndex"]

COLLECTION = "passages"


class VectorIndex:
    """An open collection. Made by ``open`` or ``create``; ``close`` it."""

    def __init__(self, client: Any, collection: Collection) -> None:
        self._client = client
        self._collection = collection

    @classmethod
    def create(cls, folder: Path, *, embedder: str) -> VectorIndex:
        """Make an empty index in ``folder``, which remembers its embedder."""
        folder.mkdir(parents=True)
        client = _client(folder)
        try:
            collection = client.create_collection(
                COLLECTION,
                metadata={"embedder": embedder},
                embedding_function=None,
                configuration={"hnsw": {"space": "cosine", "sync_threshold": 1_000_000}},
            )
        except BaseException:
            client.close()
            raise
        return cls(client, collection)

    @classmethod
    def open(cls, folder: Path, *, embedder: str) -> VectorIndex:
        """Open the index in ``folder``. Raises FileNotFoundError, EmbedderMismatch, and what Chroma raises."""
        if not (folder / "chroma.sqlite3").is_file():  # Chroma would make an empty one
            raise FileNotFoundError(f"there is no vector index in {folder}")
        client = _client(folder)
        try:
            collection = client.get_collection(COLLECTION, embedding_function=None)
            made_by = str(cast("dict[str, Any]", collection.metadata or {}).get("embedder", ""))
            if made_by != embedder:
                raise mismatch(folder, made_by, embedder)
        except BaseException:
            client.close()
            raise
        return cls(client, collection)

    def close(self) -> None:
        self._client.close()

    def put(self, ids: Sequence[str], vectors: Vectors) -> None:
        self._collection.upsert(ids=list(ids), embeddings=vectors)

    def drop(self, ids: Sequence[str]) -> None:
        self._collection.delete(ids=list(ids))

    def ids(self) -> set[str]:
        return set(self._collection.get(include=[])["ids"])

    def nearest(self, question: Vectors, at_most: int) -> list[tuple[str, float]]:
        """Ids of the nearest passages with the cosine of their angle to ``question`` (one row), nearest first."""
        answer = cast(
            "dict[str, Any]",
            self._collection.query(query_embeddings=question, n_results=at_most, include=["distances"]),
        )
        return [(name, 1.0 - float(far)) for name, far in zip(answer["ids"][0], answer["distances"][0], strict=True)]


def mismatch(folder: Path, made_by: str, asked: str) -> EmbedderMismatch:
    return EmbedderMismatch(
        f"the vectors were made by the embedder {made_by!r} and cannot be searched with {asked!r}",
        file=folder,
        key="embedder",
        fix=f"open it with embedder={made_by!r}; or delete this folder and ingest again, which keeps the texts",
    )


def _client(folder: Path) -> Any:
    # Any: its interface is not declared to have the ``close`` that it has.
    import chromadb
    from chromadb.config import Settings

    # Chroma would also take its settings from any .env in the current folder.
    settings = cast("Any", Settings)(_env_file=None, anonymized_telemetry=False)
    return chromadb.PersistentClient(str(folder), settings=settings)
