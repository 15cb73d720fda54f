"""An index that is not what it says is found out and made again, and what was taken in is never lost for it."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest

from bailiwick.errors import KnowledgeBusy
from bailiwick.retrieval import Knowledge
from bailiwick.retrieval.vectors import local_index

NOTES = {f"{n:03}.md": f"# Note {n}\n\nLantern {n} hangs in hall {n * 7 % 13}.\n" for n in range(120)}


def test_a_sound_index_is_called_sound(shelf) -> None:
    shelf.write(NOTES)
    shelf.ingest()
    with Knowledge.open(shelf.index) as knowledge:
        verdict = knowledge.verify(every=True)
    assert verdict.sound
    assert (verdict.passages, verdict.looked_for, verdict.lost) == (120, 120, 0)


@pytest.mark.parametrize("harm", ["missing", "strangers", "wrong", "garbage", "gone"])
def test_what_is_wrong_with_an_index_is_found_and_rebuilding_mends_it(shelf, harm: str) -> None:
    shelf.write(NOTES)
    shelf.ingest()
    ids = sorted(shelf.passages())
    if harm in ("missing", "strangers", "wrong"):
        with shelf.collection() as collection:
            if harm == "missing":
                collection.delete(ids=ids[:3])
            elif harm == "strangers":
                collection.add(ids=["a stranger"], embeddings=[[1.0] * 256])
            else:  # the right count, and other vectors
                rng = np.random.default_rng(0)
                collection.upsert(ids=ids[:20], embeddings=rng.normal(size=(20, 256)).astype(np.float32))
    elif harm == "garbage":
        (file,) = (shelf.index / "chroma").glob("*/chroma.sqlite3")
        file.write_bytes(b"no database" * 1000)
    else:
        shutil.rmtree(shelf.index / "chroma")
    with Knowledge.open(shelf.index) as knowledge:
        assert not knowledge.verify(every=True).sound
    with Knowledge.open(shelf.index) as knowledge:
        assert knowledge.rebuild() == 120
        assert knowledge.verify(every=True).sound
    assert shelf.vectors().keys() == shelf.passages().keys()


async def test_rebuilding_with_another_embedder_needs_no_document(shelf) -> None:
    class Letters:
        name = "letters"

        def embed_passages(self, texts):
            return np.array([[text.count(letter) + 0.1 for letter in "0123456789"] for text in texts], np.float32)

        def embed_question(self, text: str):
            return self.embed_passages([text])

    shelf.write(NOTES)
    with Knowledge.open(shelf.index, embedder=Letters()) as knowledge:
        knowledge.ingest([shelf.documents])
    shutil.rmtree(shelf.documents)
    with Knowledge.open(shelf.index, embedder="auto") as knowledge:
        assert knowledge.rebuild(embedder="static") == 120
        assert (await knowledge.search("Lantern 7", timeout=10)).mode == "hybrid"
    assert {len(vector) for vector in shelf.vectors().values()} == {256}


def test_compacting_gives_up_what_nothing_needs(shelf) -> None:
    shelf.write(NOTES)
    shelf.ingest()
    shelf.write({name: text.replace("hangs", "stands") for name, text in NOTES.items()})
    shelf.ingest()
    with Knowledge.open(shelf.index) as knowledge:
        assert knowledge.stats().cached_vectors == 240
        before, after = knowledge.compact()
        assert after < before
        assert knowledge.stats().cached_vectors == 120
        assert knowledge.verify(every=True).sound


PROGRAM = """
import sys
from bailiwick.retrieval import Knowledge
from bailiwick.retrieval.vectors import local_index, local_vectors
local_index.FLUSH_AT = local_vectors.FLUSH_AT = 40
settle = local_vectors.LocalVectors.settle
def stop(self, tell):
    print("making", flush=True)
    sys.stdin.readline()
    settle(self, tell)
local_vectors.LocalVectors.settle = stop
with Knowledge.open(sys.argv[1]) as knowledge:
    knowledge.ingest([sys.argv[2]])
"""


async def test_an_index_whose_making_was_cut_off_is_not_trusted_and_is_made_again(shelf) -> None:
    """While it is made it is flushed, and a kill in a flush leaves half of it: so nobody reads it then."""
    shelf.write(NOTES)
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(shelf.index), str(shelf.documents)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    assert child.stdin
    assert child.stdout.readline() == "making\n"
    for moment in ("meanwhile", "killed"):
        if moment == "killed":
            child.send_signal(signal.SIGKILL)
            child.wait(10)
        with Knowledge.open(shelf.index) as knowledge:
            found = await knowledge.search("Lantern 7", timeout=10)
        assert found.mode == "keyword-only", moment
        assert "still being made, or its making was cut off" in found.degraded[0]
    child.stdout.close()
    child.stdin.close()
    with Knowledge.open(shelf.index) as knowledge:
        report = knowledge.ingest([shelf.documents])
        assert (report.added, report.unchanged, report.embedded) == (0, 120, 0)
        assert (await knowledge.search("Lantern 7", timeout=10)).mode == "hybrid"
        assert knowledge.verify(every=True).sound


def test_an_index_whose_log_grew_long_is_made_anew_and_opens_as_fast_as_ever(shelf, monkeypatch) -> None:
    monkeypatch.setattr("bailiwick.retrieval.vectors.local_vectors.FLUSH_AT", 50)
    monkeypatch.setattr(local_index, "FLUSH_AT", 50)
    shelf.write({name: text for name, text in NOTES.items() if name < "030"})
    shelf.ingest()
    assert [folder.name for folder in (shelf.index / "chroma").iterdir()] == ["1"]
    shelf.write(NOTES)
    shelf.ingest()
    assert [folder.name for folder in (shelf.index / "chroma").iterdir()] == ["2"]
    assert shelf.vectors().keys() == shelf.passages().keys()


def test_rebuilding_is_writing_too(shelf, ingesting: Callable) -> None:
    shelf.write({f"{n}.md": f"Note {n}" for n in range(400)})
    other = ingesting(shelf.index, shelf.documents)
    assert other.stdout.readline().startswith("reading")
    with Knowledge.open(shelf.index) as knowledge, pytest.raises(KnowledgeBusy):
        knowledge.rebuild()
    other.stdout.read()
    assert other.wait(60) == 0


VERSION_1 = """
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
PRAGMA user_version = 1;
"""


async def test_a_knowledge_of_the_first_format_is_read_on_and_keeps_its_vectors(shelf) -> None:
    shelf.write({**NOTES, "bad.md": b"\xff\xfe\x00"})
    shelf.ingest()
    with closing(sqlite3.connect(shelf.index / "rag.db")) as new:
        tables = {
            name: new.execute(f"SELECT {columns} FROM {name}").fetchall()
            for name, columns in {
                "meta": "*", "sources": "source, name, digest", "chunks": "*", "embeddings": "*",
                "dead_letters": "source, name, reason, at",
            }.items()
        }  # fmt: skip
    for file in shelf.index.glob("rag.db*"):
        file.unlink()
    with closing(sqlite3.connect(shelf.index / "rag.db")) as old, old:
        old.executescript(VERSION_1)
        for name, rows in tables.items():
            old.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    with Knowledge.open(shelf.index) as knowledge:
        await knowledge.ready()
        found = await knowledge.search("Lantern 77", timeout=10)
        assert (found.mode, found.passages[0].source) == ("hybrid", "077.md")
        assert [letter.source for letter in knowledge.dead_letters()] == ["bad.md"]
        report = knowledge.ingest([shelf.documents])
        assert (report.added, report.unchanged, report.embedded) == (0, 120, 0)
