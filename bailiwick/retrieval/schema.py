"""The tables of ``rag.db``, and how those of an earlier version become them."""

from __future__ import annotations

__all__ = ["FROM_VERSION_1", "SCHEMA", "SCHEMA_VERSION"]

SCHEMA_VERSION = 2

_CHUNKS = """
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL REFERENCES sources,
    text TEXT NOT NULL, heading TEXT NOT NULL, page INTEGER, "row" INTEGER, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, indexed_hash TEXT NOT NULL, content_hash TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'indexed', 'leaving', 'refused')));
CREATE INDEX chunks_by_source ON chunks (source);
CREATE INDEX chunks_by_state ON chunks (state, number);
"""

_TRIGGERS = """
CREATE TRIGGER chunks_in AFTER INSERT ON chunks BEGIN
    INSERT INTO words (rowid, text, heading) VALUES (new.number, new.text, new.heading); END;
CREATE TRIGGER chunks_out AFTER DELETE ON chunks BEGIN
    INSERT INTO words (words, rowid, text, heading) VALUES ('delete', old.number, old.text, old.heading); END;
"""

_FACTS = """
CREATE TABLE facts (key TEXT NOT NULL, value NOT NULL, source TEXT NOT NULL REFERENCES sources ON DELETE CASCADE,
    PRIMARY KEY (key, value, source)) WITHOUT ROWID;
CREATE INDEX facts_by_source ON facts (source);
"""

_DEAD_LETTERS = """
CREATE TABLE dead_letters (source TEXT NOT NULL, passage TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL,
    at REAL NOT NULL, PRIMARY KEY (source, passage)) WITHOUT ROWID;
"""

SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (source TEXT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, link TEXT NOT NULL DEFAULT '',
    scope TEXT NOT NULL DEFAULT '', validator TEXT NOT NULL DEFAULT '', at REAL NOT NULL DEFAULT 0) WITHOUT ROWID;
{_CHUNKS}
CREATE VIRTUAL TABLE words USING fts5 (
    text, heading, content = 'chunks', content_rowid = 'number', tokenize = 'porter unicode61 remove_diacritics 2');
{_TRIGGERS}
CREATE VIRTUAL TABLE terms USING fts5vocab (words, 'row');
CREATE TABLE embeddings (model TEXT, text_hash TEXT, dimensions INTEGER, vector BLOB NOT NULL,
    PRIMARY KEY (model, text_hash, dimensions)) WITHOUT ROWID;
{_FACTS}
{_DEAD_LETTERS}
"""

_NEW_COLUMNS = """
ALTER TABLE sources ADD COLUMN link TEXT NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN validator TEXT NOT NULL DEFAULT '';
ALTER TABLE sources ADD COLUMN at REAL NOT NULL DEFAULT 0;
"""

_SET_ASIDE = """
DROP TRIGGER chunks_in;
DROP TRIGGER chunks_out;
ALTER TABLE chunks RENAME TO chunks_of_version_1;
DROP INDEX chunks_by_source;
DROP INDEX chunks_by_state;
ALTER TABLE dead_letters RENAME TO dead_letters_of_version_1;
"""

_TAKE_OVER = """
INSERT INTO chunks SELECT * FROM chunks_of_version_1;
DROP TABLE chunks_of_version_1;
INSERT INTO dead_letters SELECT source, '', name, reason, at FROM dead_letters_of_version_1;
DROP TABLE dead_letters_of_version_1;
"""

FROM_VERSION_1 = "".join((_NEW_COLUMNS, _SET_ASIDE, _CHUNKS, _DEAD_LETTERS, _FACTS, _TAKE_OVER, _TRIGGERS))
