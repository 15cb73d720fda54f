"""One embedder and one writer for an index, and a kill at any moment costs nothing."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from bailiwick.errors import ConfigError, EmbedderMismatch, KnowledgeBusy, ModelNotConfigured
from bailiwick.retrieval import Knowledge, LangChainEmbedder

CORPUS = {
    f"{part}/{n:03}.md": f"# Note {part}{n}\n\nLantern {n} hangs in hall {part}, {n * 7 % 13} steps from the door.\n"
    for part in "abcdef"
    for n in range(100)
}


def fake(name: str, size: int) -> LangChainEmbedder:
    return LangChainEmbedder(name, DeterministicFakeEmbedding(size=size))


def test_an_index_is_not_searched_with_the_vectors_of_another_embedder(shelf) -> None:
    shelf.write({"a.md": "A lantern.", "b.md": "A loom."})
    with Knowledge.open(shelf.index, embedder=fake("fake:one", 32)) as knowledge:
        knowledge.ingest([shelf.documents])
    with pytest.raises(EmbedderMismatch, match=r"'fake:one'.*'static'") as caught:
        Knowledge.open(shelf.index, embedder="static")
    assert caught.value.fix
    assert "fake:one" in caught.value.fix
    # What the fix says: the folder is deleted, and the texts are embedded anew.
    shutil.rmtree(caught.value.file or "")
    with Knowledge.open(shelf.index, embedder="static") as knowledge:
        report = knowledge.ingest([shelf.documents])
    assert (report.added, report.unchanged) == (0, 2)
    assert {len(vector) for vector in shelf.vectors().values()} == {256}


async def test_any_langchain_embeddings_will_do(shelf) -> None:
    shelf.write({"a.md": "A lantern.", "b.md": "A loom."})
    with Knowledge.open(shelf.index, embedder=fake("fake:one", 32)) as knowledge:
        knowledge.ingest([shelf.documents])
        found = await knowledge.search("A loom.", timeout=10)
    assert found.mode == "hybrid"
    assert found.passages[0].text == "A loom."


@pytest.mark.parametrize("name", ["openai:text-embedding-3-small", "nobody:knows", "nonsense"])
def test_an_embedder_that_cannot_be_had_is_said_before_anything_is_read(
    shelf, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    shelf.write({"a.md": "A lantern."})
    with Knowledge.open(shelf.index, embedder=name) as knowledge, pytest.raises(ModelNotConfigured, match=name):
        knowledge.ingest([shelf.documents])
    assert shelf.passages() == {}


def test_a_file_that_is_no_knowledge_is_said_at_once(shelf) -> None:
    shelf.index.mkdir()
    (shelf.index / "rag.db").write_bytes(b"no database at all, " * 100)
    with pytest.raises(ConfigError, match=r"rag\.db"):
        Knowledge.open(shelf.index)


def test_a_second_writer_is_refused(shelf, ingesting: Callable) -> None:
    shelf.write(CORPUS)
    other = ingesting(shelf.index, shelf.documents)
    assert other.stdout.readline().startswith("reading")
    with Knowledge.open(shelf.index) as knowledge, pytest.raises(KnowledgeBusy, match="somebody else") as caught:
        knowledge.ingest([shelf.documents])
    assert caught.value.fix
    other.stdout.read()
    assert other.wait(60) == 0
    assert len(shelf.vectors()) == len(CORPUS)


@pytest.mark.parametrize("moments", [["reading 300"], ["embedding 256"], ["reading 500", "embedding 512"]], ids=str)
def test_an_ingestion_that_was_killed_is_gone_on_with(
    shelf, undisturbed, ingesting: Callable, moments: list[str]
) -> None:
    shelf.write(CORPUS)
    for moment in moments:
        child = ingesting(shelf.index, shelf.documents)
        assert any(line.startswith(moment) for line in child.stdout)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    report = shelf.ingest()
    assert report.added + report.unchanged == len(CORPUS)
    assert shelf.passages() == undisturbed.passages()
    assert shelf.vectors() == undisturbed.vectors()


@pytest.mark.parametrize("moment", ["reading 500", "embedding 0"])
def test_an_edit_that_was_killed_loses_neither_old_nor_new(shelf, ingesting: Callable, moment: str) -> None:
    shelf.write(CORPUS)
    shelf.ingest()
    edited = {name: text.replace("hangs in", "was taken from") for name, text in CORPUS.items()}
    shelf.write(edited)
    child = ingesting(shelf.index, shelf.documents)
    assert any(line.startswith(moment) for line in child.stdout)
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    shelf.ingest()
    assert sorted(shelf.passages().values()) == sorted(text.split("\n\n")[1].strip() for text in edited.values())
    assert shelf.vectors().keys() == shelf.passages().keys()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, shelf_class):
    shelf = shelf_class(tmp_path_factory.mktemp("undisturbed"))
    shelf.write(CORPUS)
    shelf.ingest()
    return shelf


def test_the_static_embedder_needs_no_network_and_no_cache(tmp_path: Path) -> None:
    program = (
        "import socket, logging; socket.socket.connect = None;"
        "from bailiwick.retrieval.embedder import make_embedder;"
        "vectors = make_embedder('static').embed_passages(['a lantern', 'a lamp', 'the tax office', '']);"
        "print(vectors.shape, *(round(float(x), 3) for x in vectors @ vectors[0]), logging.getLogger().handlers)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"HOME": str(tmp_path)}
    )
    shape, itself, lamp, office, nothing, handlers = done.stdout.replace("(4, 256)", "4x256").split()
    assert (shape, float(itself), float(nothing), handlers) == ("4x256", 1.0, 0.0, "[]")
    assert float(lamp) > 0.3 > float(office)
    assert not list(tmp_path.iterdir())


def test_an_embedder_of_ones_own(shelf) -> None:
    class Letters:
        name = "letters"

        def embed_passages(self, texts: Sequence[str]):
            return np.array([[text.count(letter) + 0.1 for letter in "abcdefgh"] for text in texts], dtype=np.float32)

        def embed_question(self, text: str):
            return self.embed_passages([text])

    shelf.write({"a.md": "A bead.", "b.md": "A hedge."})
    with Knowledge.open(shelf.index, embedder=Letters()) as knowledge:
        assert knowledge.ingest([shelf.documents]).added == 2
    assert {len(vector) for vector in shelf.vectors().values()} == {8}
