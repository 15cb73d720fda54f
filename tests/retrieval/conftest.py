"""A folder of documents, a knowledge made of it, and what both look like on the disk."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import chromadb
import pytest
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings

from bailiwick.retrieval import IngestReport, Knowledge

DESK = Path(__file__).resolve().parents[2] / "knowledge"


class Shelf:
    """Documents in ``documents/`` and their index in ``index/``, side by side."""

    def __init__(self, root: Path) -> None:
        self.documents = root / "documents"
        self.index = root / "index"
        self.documents.mkdir(parents=True)

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.documents / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def ingest(self, **options: bool) -> IngestReport:
        with Knowledge.open(self.index) as knowledge:
            return knowledge.ingest([self.documents], **options)

    def passages(self) -> dict[str, str]:
        """Ids and texts as ``rag.db`` has them; none may be half done."""
        with closing(sqlite3.connect(self.index / "rag.db")) as database:
            assert database.execute("SELECT count(*) FROM chunks WHERE state <> 'indexed'").fetchone()[0] == 0
            return dict(database.execute("SELECT id, text FROM chunks"))

    @contextmanager
    def collection(self) -> Iterator[Collection]:
        """What Chroma holds, opened by itself."""
        (folder,) = (self.index / "chroma").iterdir()
        client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        try:
            yield client.get_collection("passages", embedding_function=None)
        finally:
            client.close()

    def vectors(self) -> dict[str, tuple[float, ...]]:
        """Ids and vectors as Chroma has them, each found by itself."""
        with self.collection() as collection:
            held = collection.get(include=["embeddings"])
            if held["ids"]:
                nearest = collection.query(query_embeddings=held["embeddings"], n_results=1, include=["distances"])
                # By distance and not by id: equal texts have equal vectors.
                far = [distances[0] for distances in nearest["distances"] if distances[0] >= 1e-5]
                # The index approximates: among hundreds it may now and then miss one that is there.
                assert len(far) <= len(held["ids"]) // 200, far
            return dict(zip(held["ids"], map(tuple, held["embeddings"]), strict=True))


PROGRAM = """
import sys
from bailiwick.retrieval import Knowledge
with Knowledge.open(sys.argv[1]) as knowledge:
    knowledge.ingest([sys.argv[2]], on_progress=lambda text: print(text, flush=True))
"""


@pytest.fixture
def ingesting() -> Iterator[Callable[[Path, Path], subprocess.Popen[str]]]:
    """Start an ingestion in a process of its own, which tells its progress line by line."""
    started: list[subprocess.Popen[str]] = []

    def start(index: Path, documents: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(index), str(documents)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


@pytest.fixture
def ingest_elsewhere() -> Callable[[Path, Path], None]:
    def ingest(index: Path, documents: Path) -> None:
        subprocess.run([sys.executable, "-c", PROGRAM, str(index), str(documents)], check=True, capture_output=True)

    return ingest


@pytest.fixture(scope="session")
def shelf_class() -> type[Shelf]:
    return Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def make_shelf(tmp_path: Path) -> Callable[[str], Shelf]:
    return lambda name: Shelf(tmp_path / name)


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knowledge]:
    """What the support desk knows, ingested once; to be searched, not changed."""
    with Knowledge.open(tmp_path_factory.mktemp("desk") / "knowledge") as knowledge:
        report = knowledge.ingest([DESK])
        assert not report.dead_letters
        yield knowledge
