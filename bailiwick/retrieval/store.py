"""``rag.db``: documents, their passages, the keyword index and every embedding that was ever made of them.

This file is the truth; the vector index is made from it and can be thrown away. A passage is ``pending`` until its
vector stands, then ``indexed``; it is ``leaving`` when its document no longer has it, and goes once the new ones stand.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from bailiwick.errors import ConfigError
from bailiwick.retrieval.chunk import Chunk
from bailiwick.retrieval.discover import Document
from bailiwick.retrieval.embedder import Vectors
from bailiwick.retrieval.report import DeadLetter

__all__ = ["Store"]

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (source TEXT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL REFERENCES sources,
    text TEXT NOT NULL, heading TEXT NOT NULL, page INTEGER, "row" INTEGER, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, indexed_hash TEXT NOT NULL, content_hash TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'indexed', 'leaving')));
CREATE INDEX chunks_by_source ON chunks (source);
CREATE INDEX chunks_by_state ON chunks (state);
CREATE VIRTUAL TABLE words USING fts5 (
    text, heading, content = 'chunks', content_rowid = 'number', tokenize = 'porter unicode61 remove_diacritics 2');
CREATE TRIGGER chunks_in AFTER INSERT ON chunks BEGIN
    INSERT INTO words (rowid, text, heading) VALUES (new.number, new.text, new.heading); END;
CREATE TRIGGER chunks_out AFTER DELETE ON chunks BEGIN
    INSERT INTO words (words, rowid, text, heading) VALUES ('delete', old.number, old.text, old.heading); END;
CREATE VIRTUAL TABLE terms USING fts5vocab (words, 'row');
CREATE TABLE embeddings (model TEXT, text_hash TEXT, dimensions INTEGER, vector BLOB NOT NULL,
    PRIMARY KEY (model, text_hash, dimensions)) WITHOUT ROWID;
CREATE TABLE dead_letters (source TEXT PRIMARY KEY, name TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL)
    WITHOUT ROWID;
"""


class Store:
    """The database at ``file``. Nothing is made until ``create``; reading what is not there finds nothing."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._writer: sqlite3.Connection | None = None

    def exists(self) -> bool:
        return self.file.is_file()

    def create(self) -> None:
        """Make the database where there is none. Raises ConfigError for one of another version."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.file, timeout=10, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            # One transaction, so that a kill in the middle leaves no half of a schema.
            if database.execute("PRAGMA user_version").fetchone()[0] == 0:
                database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        self.check()

    def check(self) -> None:
        """Raise ConfigError when the file is no database of this version."""
        try:
            with self.reading() as database:
                version = database.execute("PRAGMA user_version").fetchone()[0]
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
        """Write through one connection for a while, in one thread: SQLite waits for the disk when the last closes."""
        with closing(self._connected()) as database:
            self._writer = database
            try:
                yield
            finally:
                self._writer = None

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """One transaction: all of it, or nothing of it."""
        if self._writer is not None:
            with self._writer:
                yield self._writer
            return
        with closing(self._connected()) as database, database:
            yield database

    def _connected(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.file, timeout=30)
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

    def documents(self) -> dict[str, tuple[str, str, int]]:
        """Name, digest and number of passages of each document that was taken in, and has no dead letter since."""
        with self.reading() as database:
            rows = database.execute(
                "SELECT source, name, digest, count(number) FILTER (WHERE state <> 'leaving')"
                " FROM sources LEFT JOIN chunks USING (source)"
                " WHERE source NOT IN (SELECT source FROM dead_letters) GROUP BY source"
            ).fetchall()
        return {source: (name, digest, count) for source, name, digest, count in rows}

    def take_in(self, document: Document, digest: str, chunks: Sequence[Chunk]) -> tuple[int, int, int]:
        """Write the document's passages; give how many are new, stayed, and are to leave once the new ones stand."""
        source = document.source
        with self.writing() as database:
            database.execute(
                "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT (source) DO UPDATE"
                " SET name = excluded.name, digest = excluded.digest",
                (source, document.name, digest),
            )
            rows = database.execute("SELECT id, state FROM chunks WHERE source = ?", (source,)).fetchall()
            before: dict[str, str] = dict(rows)
            for chunk in chunks:
                place = (chunk.page, chunk.row, chunk.start, chunk.end)
                if chunk.id in before:
                    # One that was about to leave may have lost its vector already.
                    database.execute(
                        'UPDATE chunks SET page = ?, "row" = ?, start = ?, "end" = ?,'
                        " state = iif(state = 'leaving', 'pending', state) WHERE id = ?",
                        (*place, chunk.id),
                    )
                else:
                    database.execute(
                        "INSERT INTO chunks VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')",
                        (chunk.id, source, chunk.text, chunk.heading, *place, chunk.indexed_hash, chunk.content_hash),
                    )
            now = {chunk.id for chunk in chunks}
            leaving = [chunk for chunk, state in before.items() if chunk not in now and state != "leaving"]
            database.executemany("UPDATE chunks SET state = 'leaving' WHERE id = ?", [(chunk,) for chunk in leaving])
            database.execute("DELETE FROM dead_letters WHERE source = ?", (source,))
        return len(now - before.keys()), len(now & before.keys()), len(leaving)

    def bury(self, document: Document, reason: str) -> DeadLetter:
        """Keep that the document could not be taken in, and why."""
        with self.writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?)",
                (document.source, document.name, reason, time.time()),
            )
        return DeadLetter(source=document.name, reason=reason)

    def known_below(self, folder: str) -> dict[str, str]:
        """The documents known below ``folder``: what they are known as, and their names."""
        with self.reading() as database:
            rows = database.execute("SELECT source, name FROM sources").fetchall()
        prefix = "" if folder == "." else f"{folder}/"
        below = {source: name for source, name in rows if source.startswith(prefix)}
        # Seen from here, a folder above is "..", and what lies beside that one begins with it as well.
        return {source: name for source, name in below.items() if not source[len(prefix) :].startswith("../")}

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

    def pending(self, at_most: int) -> list[tuple[str, str, str, str]]:
        """Id, heading, text and hash of passages without a vector."""
        with self.reading() as database:
            return database.execute(
                "SELECT id, heading, text, indexed_hash FROM chunks WHERE state = 'pending' ORDER BY number LIMIT ?",
                (at_most,),
            ).fetchall()

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
        with self.writing() as database:
            database.executemany("UPDATE chunks SET state = 'indexed' WHERE id = ?", [(chunk,) for chunk in ids])

    def forget(self, ids: Iterable[str]) -> None:
        """Take passages out for good, and documents that have none left."""
        with self.writing() as database:
            database.executemany("DELETE FROM chunks WHERE id = ?", [(chunk,) for chunk in ids])
            database.execute("DELETE FROM sources WHERE digest = '' AND source NOT IN (SELECT source FROM chunks)")

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
