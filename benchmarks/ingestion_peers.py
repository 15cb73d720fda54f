"""The same ingestion by LangChain's ``index()``, LlamaIndex's pipeline and ours: refused now and then, and killed once.

    python -m benchmarks.ingestion_peers [--no-peers] [--documents 1200] [--json]

An embedding server answers one request in twenty with 429. Each way takes the same documents in, one passage each, is
killed when half of them are embedded, and is started again until it comes to its end, five times at most. Counted at
the server and in Chroma: documents lost, texts embedded more than once (an answer that was on its way when the kill
came counts), runs that failed, and seconds of the runs after the kill, imports and, for ours, a search for every
passage by its own vector included. The peers are installed in an environment of their own, once, from a package
registry.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.embedding_server import embedding_server
from benchmarks.ingestion import write_documents
from benchmarks.peers.environment import environment_with

PROGRAMS = Path(__file__).parent / "peers" / "programs"
RUNS = 5
LIBRARIES = (
    "langchain-classic==1.0.8", "langchain-community", "langchain-chroma==1.1.0", "langchain-openai==1.7.4",
    "llama-index-core==0.14.25", "llama-index-vector-stores-chroma==0.6.0", "llama-index-embeddings-openai",
)  # fmt: skip
OURS = """
import sys
from langchain_openai import OpenAIEmbeddings
from bailiwick.retrieval import Knowledge, LangChainEmbedder
client = OpenAIEmbeddings(
    model="served", base_url=sys.argv[3], api_key="none", check_embedding_ctx_length=False, max_retries=0)
with Knowledge.open(sys.argv[1], embedder=LangChainEmbedder("openai:served", client)) as knowledge:
    knowledge.ingest([sys.argv[2]])
    print(len(knowledge.documents()) if knowledge.verify(every=True).sound else 0)
"""


def measure(command: list[str], folder: Path, documents: Path, count: int) -> dict[str, Any]:
    with embedding_server(refuse_every=20, retry_after="1", seconds=0.05) as server:
        arguments = [*command, str(folder), str(documents), server.url]
        quiet: dict[str, Any] = {"stderr": subprocess.DEVNULL, "env": {**os.environ, "ANONYMIZED_TELEMETRY": "False"}}
        killed = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, **quiet)
        while len(server.embedded) < count // 2 and killed.poll() is None:
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        embedded_before, began, failed, kept = len(server.embedded), time.monotonic(), 0, 0
        for _ in range(RUNS):
            done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=False, **quiet)
            if done.returncode == 0:
                kept = int(done.stdout.split()[-1])
                break
            failed += 1
        return {
            "embedded_before_the_kill": embedded_before,
            "lost": count - kept,
            "embedded_again": sum(times - 1 for times in server.embedded.values()),
            "failed_runs": failed,
            "seconds": round(time.monotonic() - began, 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="other libraries too")
    parser.add_argument("--documents", type=int, default=1200)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    ways = {"ours": [sys.executable, "-c", OURS]}
    if asked.peers:
        python = str(environment_with(*LIBRARIES))
        ways["LangChain index()"] = [python, str(PROGRAMS / "ingest_langchain.py")]
        ways["LlamaIndex pipeline"] = [python, str(PROGRAMS / "ingest_llamaindex.py")]
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="bailiwick-peers-") as name:
        documents = Path(name) / "documents"
        write_documents(documents, asked.documents, per_document=1)
        for way, command in ways.items():
            told[way] = measure(command, Path(name) / way.split()[0], documents, asked.documents)
            if not asked.json:
                print(way, told[way], flush=True)
    if asked.json:
        print(json.dumps(told))


if __name__ == "__main__":
    main()
