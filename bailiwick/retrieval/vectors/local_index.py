"""A vector index in a folder of this machine. Made from ``rag.db`` and worth nothing by itself.

Three things that Chroma 1.5 does decide how it is used here. Its index on disk can be left half written by a kill while
it is flushed, and then finds half of its vectors without an error; so one that is in use is never flushed
(``sync_threshold``) and read from its log instead. An index that never was flushed takes 22 s to open at 100 000
vectors, and every write to it gets slower; so one that is being made is flushed as it grows, and trusted only when it
is whole. And a client that is open does not see what another process wrote; so it is opened anew when ``rag.db`` says
that there was a change.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bailiwick.retrieval.embedders import Vectors
from bailiwick.retrieval.vectors.vectors import Ranking, mismatch

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

__all__ = ["FLUSH_AT", "LocalIndex"]

COLLECTION = "passages"
FLUSH_AT = 5000
"""Changes after which an index that is being made is flushed."""
_NEVER = 1_000_000


class LocalIndex:
    """An open collection. Made by ``open`` or ``create``; ``close`` it."""

    def __init__(self, client: Any, collection: Collection) -> None:
        self._client = client
        self._collection = collection

    @classmethod
    def create(cls, folder: Path, *, embedder: str) -> LocalIndex:
        """Make an empty index in ``folder``, which remembers its embedder, and is flushed until ``keep_whole``."""
        folder.mkdir(parents=True)
        client = _client(folder)
        try:
            collection = client.create_collection(
                COLLECTION,
                metadata={"embedder": embedder},
                embedding_function=None,
                configuration={"hnsw": {"space": "cosine", "sync_threshold": FLUSH_AT}},
            )
        except BaseException:
            client.close()
            raise
        return cls(client, collection)

    @classmethod
    def open(cls, folder: Path, *, embedder: str) -> LocalIndex:
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

    def keep_whole(self) -> None:
        """From now on no flush: a kill at any moment leaves what there is."""
        modify = cast("Any", self._collection).modify
        with warnings.catch_warnings():
            # It says of every collection whose vectors are made elsewhere that it is made in an old way.
            warnings.filterwarnings("ignore", "legacy embedding function config", DeprecationWarning)
            modify(configuration={"hnsw": {"sync_threshold": _NEVER}})

    def put(self, ids: Sequence[str], vectors: Vectors) -> None:
        self._collection.upsert(ids=list(ids), embeddings=vectors)

    def drop(self, ids: Sequence[str]) -> None:
        self._collection.delete(ids=list(ids))

    def ids(self) -> set[str]:
        return set(self._collection.get(include=[])["ids"])

    def nearest(self, question: Vectors, at_most: int, *, among: Sequence[str] | None = None) -> list[Ranking]:
        """For each row of ``question`` the ids of the nearest passages with the cosine of their angle, nearest first.

        A ``where`` would cost forty times as much at 100 000; ids cost 10 ms whatever their number up to some thousand.
        """
        narrowed: dict[str, Any] = {} if among is None else {"ids": list(among)}
        answer = cast(
            "dict[str, Any]",
            self._collection.query(query_embeddings=question, n_results=at_most, include=["distances"], **narrowed),
        )
        return [
            [(name, 1.0 - float(far)) for name, far in zip(ids, distances, strict=True)]
            for ids, distances in zip(answer["ids"], answer["distances"], strict=True)
        ]


def _client(folder: Path) -> Any:
    # Any: its interface is not declared to have the ``close`` that it has.
    import chromadb
    from chromadb.config import Settings

    # Chroma would also take its settings from any .env in the current folder.
    settings = cast("Any", Settings)(_env_file=None, anonymized_telemetry=False)
    return chromadb.PersistentClient(str(folder), settings=settings)
