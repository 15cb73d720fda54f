"""``rag.db``: documents, their passages, the keyword index and every embedding that was ever made of them.

This file is the truth; the vector index is made from it and can be thrown away. A passage is ``pending`` until its
vector stands, then ``indexed``; ``refused`` when the embedder will not take it, and then found by its words alone; it
is ``leaving`` when its document no longer has it, and goes once the new ones stand.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bailiwick.documents import Chunk, Fact
from bailiwick.errors import ConfigError
from bailiwick.retrieval.embedders import Vectors
from bailiwick.retrieval.report import DeadLetter
from bailiwick.retrieval.schema import FROM_VERSION_1, SCHEMA, SCHEMA_VERSION

__all__ = ["KnownDocument", "Store", "StoredPassage"]


@dataclass(frozen=True, kw_only=True)
class KnownDocument:
    """A document as it was taken in last. ``digest`` empty: it is on its way out, or must be read again."""

    name: str
    digest: str
    passages: int
    validator: str
    """What its server said to recognize its state by. Empty: nothing."""


@dataclass(frozen=True, kw_only=True)
class StoredPassage:
    """A passage, and what is embedded of it."""

    number: int
    id: str
    heading: str
    text: str
    indexed_hash: str


class Store:
    """The database at ``file``. Nothing is made until ``create``; reading what is not there finds nothing."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._writer: sqlite3.Connection | None = None
        self._writing = threading.RLock()

    def exists(self) -> bool:
        return self.file.is_file()

    def create(self) -> None:
        """Make the database where there is none. Raises ConfigError for one of a later version."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.file, timeout=10, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            # One transaction, so that a kill in the middle leaves no half of a schema.
            if database.execute("PRAGMA user_version").fetchone()[0] == 0:
                database.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        self.check()

    def check(self) -> None:
        """Bring an earlier version up to this one. Raises ConfigError when the file is no database of ours."""
        try:
            with closing(sqlite3.connect(self.file, timeout=10, isolation_level=None)) as database:
                version = database.execute("PRAGMA user_version").fetchone()[0]
                if version == 1:
                    database.execute("BEGIN IMMEDIATE")  # and looked at again: another process may have been faster
                    version = database.execute("PRAGMA user_version").fetchone()[0]
                    if version == 1:
                        script = f"{FROM_VERSION_1} PRAGMA user_version = {SCHEMA_VERSION};"
                        for statement in _statements(script):
                            database.execute(statement)
                        version = SCHEMA_VERSION
                    database.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise ConfigError(
                f"the knowledge cannot be read: {error}", file=self.file, fix="delete its folder and ingest again"
            ) from error
        if version != SCHEMA_VERSION:
            raise ConfigError(
                f"the knowledge has format {version}, this version reads {SCHEMA_VERSION}",
                file=self.file,
                fix="delete its folder and ingest again",
            )

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """A connection for one search. A new one each time, since searches come from any thread."""
        with closing(sqlite3.connect(f"{self.file.absolute().as_uri()}?mode=rw", uri=True, timeout=5)) as database:
            database.execute("PRAGMA query_only = 1")
            yield database

    @contextmanager
    def kept_open(self) -> Generator[None]:
        """Write through one connection for a while: SQLite waits for the disk when the last one closes."""
        with closing(self._connected()) as database:
            self._writer = database
            try:
                yield
            finally:
                self._writer = None

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """One transaction: all of it, or nothing of it. One thread at a time."""
        with self._writing:
            if self._writer is not None:
                with self._writer:
                    yield self._writer
                return
            with closing(self._connected()) as database, database:
                yield database

    def _connected(self) -> sqlite3.Connection:
        # Several threads of an ingestion share it, one at a time.
        database = sqlite3.connect(self.file, timeout=30, check_same_thread=False)
        database.execute("PRAGMA foreign_keys = 1")
        # A power cut may take the last transactions, never the file; the next run then does them again.
        database.execute("PRAGMA synchronous = NORMAL")
        return database

    # What is remembered of the vector index

    def remembered(self, key: str) -> str:
        """Empty: nothing."""
        if not self.exists():
            return ""
        with self.reading() as database:
            row = database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else ""

    def remember(self, values: Mapping[str, str]) -> None:
        with self.writing() as database:
            database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(values.items()))

    # Documents

    def documents(self) -> dict[str, KnownDocument]:
        """Each document that was taken in and has no dead letter since, by what it is known as."""
        with self.reading() as database:
            rows = database.execute(
                "SELECT source, name, digest, validator, count(number) FILTER (WHERE state <> 'leaving')"
                " FROM sources LEFT JOIN chunks USING (source)"
                " WHERE source NOT IN (SELECT source FROM dead_letters WHERE passage = '') GROUP BY source"
            ).fetchall()
        return {
            source: KnownDocument(name=name, digest=digest, validator=validator, passages=count)
            for source, name, digest, validator, count in rows
        }

    def take_in(
        self,
        source: str,
        chunks: Sequence[Chunk],
        *,
        name: str,
        digest: str,
        facts: Mapping[str, Fact] | None = None,
        link: str = "",
        scope: str = "",
        validator: str = "",
    ) -> tuple[int, int, int]:
        """Write the document's passages; give how many are new, stayed, and are to leave once the new ones stand."""
        with self.writing() as database:
            database.execute(
                "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source) DO UPDATE"
                " SET name = excluded.name, digest = excluded.digest, link = excluded.link, scope = excluded.scope,"
                " validator = excluded.validator, at = excluded.at",
                (source, name, digest, link, scope, validator, time.time()),
            )
            database.execute("DELETE FROM facts WHERE source = ?", (source,))
            database.executemany("INSERT OR IGNORE INTO facts VALUES (?, ?, ?)", _fact_rows(source, facts or {}))
            rows = database.execute("SELECT id, state FROM chunks WHERE source = ?", (source,)).fetchall()
            before: dict[str, str] = dict(rows)
            # One that was about to leave may have lost its vector already.
            database.executemany(
                'UPDATE chunks SET page = ?, "row" = ?, start = ?, "end" = ?,'
                " state = iif(state = 'leaving', 'pending', state) WHERE id = ?",
                [(each.page, each.row, each.start, each.end, each.id) for each in chunks if each.id in before],
            )
            database.executemany(
                "INSERT INTO chunks VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')",
                [
                    (
                        *(each.id, source, each.text, each.heading, each.page, each.row, each.start, each.end),
                        *(each.indexed_hash, each.content_hash),
                    )
                    for each in chunks
                    if each.id not in before
                ],
            )
            now = {chunk.id for chunk in chunks}
            leaving = [chunk for chunk, state in before.items() if chunk not in now and state != "leaving"]
            database.executemany("UPDATE chunks SET state = 'leaving' WHERE id = ?", [(chunk,) for chunk in leaving])
            database.execute("DELETE FROM dead_letters WHERE source = ? AND passage = ''", (source,))
        return len(now - before.keys()), len(now & before.keys()), len(leaving)

    def validate(self, source: str, validator: str) -> None:
        """Keep what its server now says to recognize the document's state by."""
        with self.writing() as database:
            database.execute("UPDATE sources SET validator = ? WHERE source = ?", (validator, source))

    def bury(self, source: str, name: str, reason: str, passage: str = "") -> DeadLetter:
        """Keep that the document, or this passage of it, could not be taken in, and why."""
        with self.writing() as database:
            row = (source, passage, name, reason, time.time())
            database.execute("INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?)", row)
        return DeadLetter(source=name, reason=reason, passage=passage)

    def unbury(self, sources: Iterable[str]) -> None:
        """Forget that these documents could not be taken in."""
        with self.writing() as database:
            gone = [(source,) for source in sources]
            database.executemany("DELETE FROM dead_letters WHERE source = ? AND passage = ''", gone)

    def dead_letters(self) -> list[DeadLetter]:
        """All that are kept, those of whole documents first."""
        if not self.exists():
            return []
        with self.reading() as database:
            rows = database.execute(
                "SELECT name, reason, passage, at, source FROM dead_letters ORDER BY passage <> '', name"
            ).fetchall()
        return [DeadLetter(source=row[0], reason=row[1], passage=row[2], at=row[3], key=row[4]) for row in rows]

    def known_below(self, folder: str) -> dict[str, str]:
        """The documents known below ``folder`` from scans of folders: what they are known as, and their names."""
        prefix = "" if folder == "." else f"{folder}/"
        below = {source: name for source, name in self.known_in("").items() if source.startswith(prefix)}
        # Seen from here, a folder above is "..", and what lies beside that one begins with it as well.
        return {source: name for source, name in below.items() if not source[len(prefix) :].startswith("../")}

    def known_in(self, scope: str) -> dict[str, str]:
        """The documents that came from the source of this name: what they are known as, and their names."""
        with self.reading() as database:
            return dict(database.execute("SELECT source, name FROM sources WHERE scope = ?", (scope,)).fetchall())

    def passages_of(self, source: str) -> set[str]:
        """Ids of the passages that the document has now."""
        with self.reading() as database:
            rows = database.execute("SELECT id FROM chunks WHERE source = ? AND state <> 'leaving'", (source,))
            return {row[0] for row in rows}

    def let_go(self, sources: Iterable[str]) -> int:
        """Mark all passages of these documents as leaving; give how many."""
        gone = [(source,) for source in sources]
        with self.writing() as database:
            before = database.total_changes
            database.executemany("UPDATE chunks SET state = 'leaving' WHERE source = ? AND state <> 'leaving'", gone)
            count = database.total_changes - before
            database.executemany("UPDATE sources SET digest = '' WHERE source = ?", gone)
            database.executemany("DELETE FROM dead_letters WHERE source = ?", gone)
        return count

    # Between the passages and their vectors

    def pending(self, at_most: int, *, after: int = 0) -> list[StoredPassage]:
        """Passages without a vector, of those numbered above ``after``."""
        return self._passages("pending", at_most, after)

    def indexed(self, at_most: int, *, after: int = 0) -> list[StoredPassage]:
        """Passages with a vector, of those numbered above ``after``."""
        return self._passages("indexed", at_most, after)

    def _passages(self, state: str, at_most: int, after: int) -> list[StoredPassage]:
        with self.reading() as database:
            rows = database.execute(
                "SELECT number, id, heading, text, indexed_hash FROM chunks"
                " WHERE state = ? AND number > ? ORDER BY number LIMIT ?",
                (state, after, at_most),
            ).fetchall()
        return [
            StoredPassage(number=row[0], id=row[1], heading=row[2], text=row[3], indexed_hash=row[4]) for row in rows
        ]

    def count(self, state: str) -> int:
        with self.reading() as database:
            return database.execute("SELECT count(*) FROM chunks WHERE state = ?", (state,)).fetchone()[0]

    def ids(self, state: str) -> set[str]:
        with self.reading() as database:
            return {row[0] for row in database.execute("SELECT id FROM chunks WHERE state = ?", (state,))}

    def set_pending(self, ids: Iterable[str] | None) -> None:
        """These passages have no vector, whatever was thought. None: none has."""
        with self.writing() as database:
            if ids is None:
                database.execute("UPDATE chunks SET state = 'pending' WHERE state = 'indexed'")
            else:
                database.executemany("UPDATE chunks SET state = 'pending' WHERE id = ?", [(chunk,) for chunk in ids])

    def set_indexed(self, ids: Iterable[str]) -> None:
        """Their vectors stand. One that was let go of meanwhile still leaves."""
        with self.writing() as database:
            database.executemany(
                "UPDATE chunks SET state = 'indexed' WHERE id = ? AND state = 'pending'", [(chunk,) for chunk in ids]
            )

    def refuse(self, passage: str, reason: str) -> DeadLetter | None:
        """Keep that the embedder will not take this passage; None when it is gone already."""
        with self.writing() as database:
            row = database.execute(
                "SELECT source, name FROM chunks JOIN sources USING (source) WHERE id = ?", (passage,)
            ).fetchone()
            database.execute("UPDATE chunks SET state = 'refused' WHERE id = ? AND state = 'pending'", (passage,))
            return self.bury(row[0], row[1], reason, passage) if row else None

    def retry_refused(self) -> int:
        """Make what was refused pending again; give how many."""
        with self.writing() as database:
            database.execute("DELETE FROM dead_letters WHERE passage <> ''")
            return database.execute("UPDATE chunks SET state = 'pending' WHERE state = 'refused'").rowcount

    def forget(self, ids: Iterable[str]) -> None:
        """Take passages out for good, and documents that have none left."""
        with self.writing() as database:
            gone = [(chunk,) for chunk in ids]
            database.executemany("DELETE FROM chunks WHERE id = ? AND state = 'leaving'", gone)
            database.executemany("DELETE FROM dead_letters WHERE passage = ?", gone)
            database.execute("DELETE FROM sources WHERE digest = '' AND source NOT IN (SELECT source FROM chunks)")

    def compact(self) -> None:
        """Give up vectors of texts that no passage has, and the room of what was deleted."""
        with self.writing() as database:
            database.execute("DELETE FROM embeddings WHERE text_hash NOT IN (SELECT indexed_hash FROM chunks)")
            database.execute("INSERT INTO words (words) VALUES ('optimize')")
        with closing(sqlite3.connect(self.file, timeout=30, isolation_level=None)) as database:
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def cached(self, model: str, hashes: Iterable[str]) -> dict[str, Vectors]:
        """Vectors that were made before, by the hash of their text."""
        found: dict[str, Vectors] = {}
        with self.reading() as database:
            for text_hash in hashes:
                query = "SELECT vector FROM embeddings WHERE model = ? AND text_hash = ?"
                if row := database.execute(query, (model, text_hash)).fetchone():
                    found[text_hash] = np.frombuffer(row[0], dtype=np.float32)
        return found

    def cache(self, model: str, vectors: Mapping[str, Vectors]) -> None:
        rows = [(model, text_hash, len(vector), vector.tobytes()) for text_hash, vector in vectors.items()]
        with self.writing() as database:
            database.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?)", rows)


def _fact_rows(source: str, facts: Mapping[str, Fact]) -> list[tuple[str, str | int | float, str]]:
    return [
        (key, each, source) for key, value in facts.items() for each in (value if isinstance(value, list) else [value])
    ]


def _statements(script: str) -> Generator[str]:
    """One by one: ``executescript`` would commit the transaction that they belong to."""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
