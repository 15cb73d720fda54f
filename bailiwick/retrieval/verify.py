"""Whether the vector index holds what ``rag.db`` says, found by asking it for passages by their own vectors."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bailiwick.errors import BailiwickError
from bailiwick.retrieval.store import Store
from bailiwick.retrieval.vectors import VectorRoom

__all__ = ["Verdict", "verify"]

SAMPLE = 2000
SAME = 1e-4
"""How far a vector may be from itself, in cosines, by rounding."""
TOLERATED = 0.01
"""The graph is an approximation: among hundreds of passages it may miss one that is there."""
SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found."""

    passages: int
    """That should have a vector."""
    missing: int = 0
    """That have none in the index."""
    strangers: int = 0
    """Vectors that belong to no passage."""
    looked_for: int = 0
    lost: int = 0
    """Of those looked for by their own vector, how many were not found by it."""
    broken: str = ""
    """Why the index cannot be asked. Empty: it can."""

    @property
    def sound(self) -> bool:
        """Whether it may be trusted."""
        return not (self.broken or self.missing or self.strangers or self.lost > TOLERATED * max(self.looked_for, 1))


def verify(folder: Path, store: Store, vectors: VectorRoom, *, every: bool) -> Verdict:
    """See ``Knowledge.verify``."""
    if not store.exists():
        return Verdict(passages=0)
    count = store.count("indexed")
    asked = json.dumps([str(folder), vectors.embedder_name, every, vectors.servers])
    command = [sys.executable, "-P", "-m", "bailiwick.retrieval.verify", asked]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603  our own module
    except subprocess.TimeoutExpired:
        return Verdict(passages=count, broken=f"it did not answer within {SECONDS} s")
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode != 0 or not last.startswith("{"):
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        said = (done.stderr.strip().splitlines() or [""])[-1][:200]
        return Verdict(passages=count, broken=f"reading it ends with {how}: {said}".rstrip(": "))
    return Verdict(**json.loads(last))


def _look(folder: Path, embedder: str, *, every: bool, servers: Sequence[str]) -> Verdict:
    """In a process of its own."""
    from bailiwick.retrieval.vectors import open_vectors

    store = Store(folder / "rag.db")
    room = open_vectors(folder / "chroma", store, embedder, servers=servers)
    said = store.ids("indexed")
    try:
        there = room.ids()
        looked_for, lost = 0, 0
        step = 1 if every else max(1, len(said) // SAMPLE)
        after = 0
        while batch := store.indexed(512, after=after):
            after = batch[-1].number
            chosen = batch[::step]
            known = store.cached(embedder, (each.indexed_hash for each in chosen))
            for each in chosen:
                vector = known.get(each.indexed_hash)
                if vector is None or each.id not in there or not np.any(vector):
                    continue
                looked_for += 1
                # By distance and not by id: equal texts have equal vectors.
                ranking = room.nearest(vector.reshape(1, -1), 1).ranking
                lost += not ranking or ranking[0][1] < 1 - SAME
    except BailiwickError as error:
        return Verdict(passages=len(said), broken=error.message)
    except Exception as error:  # noqa: BLE001  Chroma's core has errors of many kinds
        return Verdict(passages=len(said), broken=f"{type(error).__name__}: {error}")
    finally:
        room.close()
    missing, strangers = len(said - there), len(there - said - store.ids("leaving") - store.ids("pending"))
    return Verdict(passages=len(said), missing=missing, strangers=strangers, looked_for=looked_for, lost=lost)


if __name__ == "__main__":
    where, made_by, all_of_them, addresses = json.loads(sys.argv[1])
    verdict = _look(Path(where), made_by, every=all_of_them, servers=addresses)
    sys.stdout.write(json.dumps(dataclasses.asdict(verdict)) + "\n")
