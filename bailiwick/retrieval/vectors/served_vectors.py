"""Vectors on Chroma servers: one that answers, and standbys that are fed from the same ``rag.db``."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from bailiwick.errors import ConfigError, EmbedderMismatch, RetrievalUnavailable
from bailiwick.retrieval.embedders import Embedder, Vectors
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vectors.chosen_embedder import ChosenEmbedder
from bailiwick.retrieval.vectors.vectors import Nearest, Ranking, Target, mismatch

__all__ = ["ServedVectors"]

DOWN_SECONDS = 15.0
"""How long a server that did not answer is asked last."""
PAGE = 5000
WRITE_SECONDS = 60.0

_DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"


class ServedVectors:
    """The collections of one knowledge on ``servers``, the first of which is asked first.

    Writers feed every server that answers; one that was down is fed by the next ingestion, since each is compared with
    ``rag.db`` by itself. A search goes to the first server that answers in its part of the time.
    """

    def __init__(self, servers: Sequence[str], store: Store, embedder: str | Embedder) -> None:
        self.servers = tuple(servers)
        self._servers = [_Server(address) for address in servers]
        self._store = store
        self._chosen = ChosenEmbedder(store, embedder)

    @property
    def embedder_name(self) -> str:
        return self._chosen.name(stands=self.stands())

    def embedder(self) -> Embedder:
        """Raises ModelNotConfigured."""
        return self._chosen.get(stands=self.stands())

    def stands(self) -> bool:
        """Whether an ingestion has made the collections."""
        return bool(self._store.remembered("collection"))

    def check_embedder(self) -> None:
        """Raise EmbedderMismatch when the collection was made by another embedder than the one asked for."""
        self._chosen.check(self._servers[0].address, stands=self.stands())

    def nearest(
        self, question: Vectors, at_most: int, *, among: Sequence[str] | None = None, seconds: float = 60.0
    ) -> Nearest:
        """See ``VectorRoom.nearest``. A server that hangs is left after its share of ``seconds``."""
        collection = self._store.remembered("collection")
        if not collection:
            raise FileNotFoundError("nothing was ingested yet")
        until = time.monotonic() + seconds
        now = time.monotonic()
        order = sorted(self._servers, key=lambda server: server.down_until > now)
        failures: list[str] = []
        for number, server in enumerate(order):
            share = (until - time.monotonic()) / (len(order) - number)
            try:
                ranking = server.nearest(collection, question, at_most, among, max(0.05, share))
            except (httpx.HTTPError, ValueError, KeyError) as error:
                server.down_until = time.monotonic() + DOWN_SECONDS
                failures.append(f"{server.address}: {type(error).__name__}: {error}".rstrip(": "))
                continue
            server.down_until = 0.0
            note = "" if server is self._servers[0] else f"vector search: the standby {server.address} answered"
            return Nearest(ranking=ranking, note=note)
        raise RetrievalUnavailable("no Chroma server answers: " + "; ".join(failures), fix="start chroma run there")

    def ids(self) -> set[str]:
        """What the first server holds."""
        return self._servers[0].for_writing(self._store.remembered("collection"), self.embedder_name).ids()

    def for_writing(self) -> list[Target]:
        """The collections of all servers that answer. Raises ConfigError when the first does not, EmbedderMismatch."""
        collection = self._store.remembered("collection")
        if not collection:
            # Of its own: several projects may share a server, and a folder that was copied is not told apart by name.
            collection = f"passages-{secrets.token_hex(6)}"
            self._store.set_pending(None)
            self._store.remember({"collection": collection, "embedder": self.embedder_name})
        return self._targets(collection, self.embedder_name)

    def _targets(self, collection: str, embedder: str) -> list[Target]:
        targets: list[Target] = []
        for server in self._servers:
            try:
                targets.append(server.for_writing(collection, embedder))
            except EmbedderMismatch:
                raise
            except Exception as error:
                if server is self._servers[0]:
                    raise ConfigError(
                        f"the Chroma server {server.address} cannot be written to: {error}",
                        key="BAILIWICK_CHROMA",
                        fix="start it with chroma run, or correct the address",
                    ) from error
                targets.append(_Behind(server.address))
        return targets

    def written(self) -> None:
        """Its servers show each change by themselves."""

    def settle(self, tell: Callable[[int, int], None]) -> None:
        """Its servers see to their files by themselves."""

    def rebuild(self, tell: Callable[[int, int], None], *, embedder: str | None = None) -> int:
        """See ``VectorRoom.rebuild``: a new collection is filled on every server, then takes the old one's place."""
        if embedder is not None:
            self._chosen.change(embedder)
        maker = self.embedder()
        old, new = self._store.remembered("collection"), f"passages-{secrets.token_hex(6)}"
        # A standby that does not answer is fed by the next ingestion.
        targets = [target for target in self._targets(new, maker.name) if not isinstance(target, _Behind)]
        total, count = self._store.count("indexed"), 0
        for ids, vectors in self._chosen.all_vectors(maker):
            tell(count, total)
            for target in targets:
                target.put(ids, vectors)
            count += len(ids)
        self._store.remember({"collection": new, "embedder": maker.name})
        for server in self._servers:
            server.delete(old)
        return count

    def close(self) -> None:
        for server in self._servers:
            server.close()


class _Server:
    """One Chroma server, by its public HTTP interface: Chroma's own client waits without end for one that hangs."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"{address!r} is no address of a Chroma server",
                key="BAILIWICK_CHROMA",
                fix="write http://HOST:PORT, several separated by commas",
            )
        self.address = address.rstrip("/")
        self.down_until = 0.0
        self._http = httpx.Client(base_url=self.address + _DATABASE, timeout=WRITE_SECONDS)
        self._known: dict[str, str] = {}

    def nearest(
        self, collection: str, question: Vectors, at_most: int, among: Sequence[str] | None, seconds: float
    ) -> Ranking:
        if among is not None and not among:
            return []
        asked: dict[str, Any] = {"query_embeddings": question.tolist(), "n_results": at_most, "include": ["distances"]}
        if among is not None:
            asked["ids"] = list(among)
        timeout = httpx.Timeout(seconds, connect=min(seconds, 1.0))
        if collection not in self._known:
            found = self._http.get(f"/collections/{collection}", timeout=timeout)
            found.raise_for_status()
            self._known = {collection: str(found.json()["id"])}
        answer = self._http.post(f"/collections/{self._known[collection]}/query", json=asked, timeout=timeout)
        if answer.status_code == 404:
            self._known.clear()
        answer.raise_for_status()
        said = answer.json()
        return [(name, 1.0 - float(far)) for name, far in zip(said["ids"][0], said["distances"][0], strict=True)]

    def for_writing(self, collection: str, embedder: str) -> _ServedTarget:
        made = self._http.post(
            "/collections",
            json={
                "name": collection,
                "metadata": {"embedder": embedder},
                "configuration": {"hnsw": {"space": "cosine"}},
                "get_or_create": True,
            },
        )
        made.raise_for_status()
        said = made.json()
        made_by = str(cast("dict[str, Any]", said.get("metadata") or {}).get("embedder", ""))
        if made_by != embedder:
            raise mismatch(self.address, made_by, embedder)
        return _ServedTarget(self.address, self._http, str(said["id"]))

    def delete(self, collection: str) -> None:
        with suppress(httpx.HTTPError):  # nobody will ask for it any more
            self._http.delete(f"/collections/{collection}")

    def close(self) -> None:
        self._http.close()


class _ServedTarget:
    def __init__(self, name: str, http: httpx.Client, collection: str) -> None:
        self.name = name
        self._http = http
        self._collection = collection

    def ids(self) -> set[str]:
        found: set[str] = set()
        while page := self._ask("get", {"include": [], "limit": PAGE, "offset": len(found)})["ids"]:
            found.update(page)
        return found

    def put(self, ids: Sequence[str], vectors: Vectors) -> None:
        self._ask("upsert", {"ids": list(ids), "embeddings": vectors.tolist()})

    def drop(self, ids: Sequence[str]) -> None:
        self._ask("delete", {"ids": list(ids)})

    def _ask(self, what: str, given: dict[str, Any]) -> Any:
        answer = self._http.post(f"/collections/{self._collection}/{what}", json=given)
        answer.raise_for_status()
        return answer.json()


class _Behind:
    """A standby that does not answer."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ids(self) -> set[str]:
        raise ConnectionError(f"{self.name} does not answer")

    def put(self, ids: Sequence[str], vectors: Vectors) -> None:
        raise ConnectionError(f"{self.name} does not answer")

    def drop(self, ids: Sequence[str]) -> None:
        raise ConnectionError(f"{self.name} does not answer")
