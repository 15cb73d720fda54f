"""What taking documents in and searching them costs beside the embedder alone, and what kills do to it.

    python -m benchmarks.ingestion [--passages 10000] [--embedder static] [--server] [--kills 100] [--json]

The embedder's own rate is measured in the same run, on the same texts and in batches as large. A kill comes at a random
moment of an ingestion of its own; after the next run every passage is looked for by its own vector, and texts and
vectors are compared with those of a run that nobody disturbed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from bailiwick.retrieval import Knowledge
from bailiwick.retrieval.embedders import make_embedder, manners_of
from benchmarks.chroma_server import chroma_server

WORDS = (Path(__file__).parent.parent / "SECURITY.md").read_text().split()
INGEST = """
import sys
from bailiwick.retrieval import Knowledge
with Knowledge.open(sys.argv[1], embedder=sys.argv[3]) as knowledge:
    knowledge.ingest([sys.argv[2]])
"""


def write_documents(folder: Path, passages: int, *, per_document: int = 20) -> None:
    """Markdown with a heading over each passage, of some 120 words."""
    rng = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, passages, per_document):
        parts = [
            f"## Part {number}\n\nNote {number}: {' '.join(rng.choices(WORDS, k=110))}.\n"
            for number in range(start, min(passages, start + per_document))
        ]
        (folder / f"{start:06}.md").write_text("\n".join(parts).replace("#\n", "\n"))


def speed(folder: Path, passages: int, embedder: str, *, server: bool) -> dict[str, Any]:
    documents = folder / "documents"
    write_documents(documents, passages)
    maker = make_embedder(embedder)
    maker.embed_passages(["ready"])
    with Knowledge.open(folder / "index", embedder=maker) as knowledge:
        began = time.monotonic()
        report = knowledge.ingest([documents])
        took = time.monotonic() - began
        began = time.monotonic()
        knowledge.ingest([documents])
        again = time.monotonic() - began
    with closing(sqlite3.connect(folder / "index/rag.db")) as database:
        texts = [row[0] for row in database.execute("SELECT text FROM chunks ORDER BY number")]
    size = manners_of(maker).texts_at_once
    began = time.monotonic()
    for start in range(0, len(texts), size):
        maker.embed_passages(texts[start : start + size])
    alone = time.monotonic() - began
    began = time.monotonic()
    with Knowledge.open(folder / "index", embedder=maker) as knowledge:
        opened, asked = asyncio.run(_searches(knowledge, texts, began))
    served: dict[str, Any] = {}
    if server:
        with chroma_server(folder / "server") as chroma:
            with Knowledge.open(folder / "index", embedder=maker, servers=[chroma.url]) as knowledge:
                knowledge.ingest([documents])  # every vector is known
            with Knowledge.open(folder / "index", embedder=maker, servers=[chroma.url]) as knowledge:
                _, over = asyncio.run(_searches(knowledge, texts, time.monotonic()))
        served = {"over_server_p50_ms": _ms(statistics.median(over)), "over_server_p99_ms": _ms(_p99(over))}
    return {
        "passages": len(texts),
        "embedder": embedder,
        "ingested_per_second": round(report.embedded / took),
        "embedder_alone_per_second": round(len(texts) / alone),
        "of_the_embedders_rate": round(alone / took, 3),
        "nothing_changed_s": round(again, 2),
        "reopened_in_s": round(opened, 2),
        "search_p50_ms": _ms(statistics.median(asked)),
        "search_p99_ms": _ms(_p99(asked)),
        **served,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


async def _searches(knowledge: Knowledge, texts: list[str], began: float) -> tuple[float, list[float]]:
    await knowledge.ready(timeout=120)
    opened = time.monotonic() - began
    rng = random.Random(1)
    asked: list[float] = []
    for _ in range(200):
        question = " ".join(rng.choice(texts).split()[5:13])
        at = time.monotonic()
        await knowledge.search(question, timeout=30)
        asked.append(time.monotonic() - at)
    return opened, asked


def kills(folder: Path, times: int, passages: int = 600) -> dict[str, Any]:
    documents = folder / "documents"
    write_documents(documents, passages, per_document=2)
    whole = _ingested(folder / "whole", documents)
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", INGEST, str(folder / "timed"), str(documents), "static"], check=True)
    longest = time.monotonic() - began
    rng = random.Random(0)
    unequal, unsound, killed = 0, 0, 0
    for number in range(times):
        index = folder / f"killed-{number % 4}"
        if number % 4 == 0 and number:
            for each in range(4):
                subprocess.run(["rm", "-rf", str(folder / f"killed-{each}")], check=True)
        child = subprocess.Popen([sys.executable, "-c", INGEST, str(index), str(documents), "static"])
        time.sleep(rng.uniform(0.2, longest))
        killed += child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.wait()
        unequal += _ingested(index, documents) != whole
        with Knowledge.open(index, embedder="static") as knowledge:
            unsound += not knowledge.verify(every=True).sound
    return {"kills": times, "while_at_work": killed, "unequal": unequal, "unsound": unsound}


def _ingested(index: Path, documents: Path) -> dict[str, Any]:
    """Ids and texts, and the vectors in the cache, after an ingestion that comes to its end."""
    with Knowledge.open(index, embedder="static") as knowledge:
        knowledge.ingest([documents])
    with closing(sqlite3.connect(index / "rag.db")) as database:
        rows = database.execute(
            "SELECT id, text, state, vector FROM chunks JOIN embeddings ON indexed_hash = text_hash"
        )
        return {row[0]: row[1:] for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=10_000)
    parser.add_argument("--embedder", default="static")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--server", action="store_true", help="search over chroma run as well")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="bailiwick-ingestion-") as name:
        if asked.kills:
            told |= kills(Path(name), asked.kills)
        else:
            told |= speed(Path(name), asked.passages, asked.embedder, server=asked.server)
    print(json.dumps(told) if asked.json else "\n".join(f"{key:>26}  {value}" for key, value in told.items()))


if __name__ == "__main__":
    main()
