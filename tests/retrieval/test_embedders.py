"""Which embedder an index goes with, and where embedders come from."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from bailiwick.errors import EmbedderMismatch, ModelNotConfigured
from bailiwick.retrieval import Knowledge, LangChainEmbedder


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


@pytest.mark.parametrize("name", ["openai:text-embedding-3-small", "nobody:knows", "nonsense"])
def test_an_embedder_that_cannot_be_had_is_said_before_anything_is_read(
    shelf, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    shelf.write({"a.md": "A lantern."})
    with Knowledge.open(shelf.index, embedder=name) as knowledge, pytest.raises(ModelNotConfigured, match=name):
        knowledge.ingest([shelf.documents])
    assert shelf.passages() == {}


def test_the_static_embedder_needs_no_network_and_no_cache(tmp_path: Path) -> None:
    program = (
        "import socket, logging; socket.socket.connect = None;"
        "from bailiwick.retrieval.embedders.make_embedder import make_embedder;"
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
