"""Processes killed with SIGKILL while they pay, and what came of it.

    python -m benchmarks.crash --kills 300 --database sqlite|postgresql [--baseline langgraph] [--json] [--seed 1]

A conversation asks for three payments: two at the same time, one that a person approves. Its process is killed at a
point drawn beforehand (before or after a write of ledger or checkpoint, the effect, the model, the approval) or at
a random moment; then others take it up, which may be killed too, or be two at once, until one comes to its end. A
witness outside of them and of their database counts the payments.

``effects``: payments made. ``doubled``: made more than once; ``doubled_in_races`` of them where two processes took the
conversation up at once. ``lost``: wanted and not made, or made and unknown to the
conversation. ``unknown_surfaced``: calls of which a person was asked what became of them. ``unreadable``:
conversations that cannot be gone on with. ``--baseline langgraph`` does the same with LangGraph alone.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.crash_model import PAYMENTS
from benchmarks.crash_points import draw_point
from benchmarks.crash_witness import Witness

AT_ONCE = 2
PATIENCE = 90.0
"""Seconds for a worker that nobody kills."""
RACES = 0.15
SECOND_KILL = 0.3
RANDOM = 0.5


@dataclass
class Tally:
    """What is counted besides the effects."""

    kills: int = 0
    conversations: int = 0
    raced: set[str] = field(default_factory=set[str])
    """Conversations that two processes took up at once."""
    lost: list[str] = field(default_factory=list[str])
    unreadable: list[str] = field(default_factory=list[str])
    by_point: Counter[str] = field(default_factory=Counter[str])
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A forked process and what it tells of itself."""

    pid: int
    process: int
    """Its pidfd, since its number is given away again once it is gone."""
    told: queue.Queue[dict[str, Any]]

    def kill(self) -> bool:
        """Whether it was alive until now."""
        alive = not select.select([self.process], [], [], 0)[0]
        if alive:
            signal.pidfd_send_signal(self.process, signal.SIGKILL)
        select.select([self.process], [], [], PATIENCE)
        os.close(self.process)
        return alive


class Harness:
    """One system on one database."""

    def __init__(self, system: str, database: str | None, roots: list[Path], witness: Witness, seed: int) -> None:
        self.system = system
        self.database = database
        self.roots = roots
        self.witness = witness
        self.tally = Tally()
        self.seed = seed
        self.typical = 0.2
        self._workers = 0
        self._lock = threading.Lock()
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.crash_zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[1],
        )

    def close(self) -> None:
        self._zygote.communicate()

    def start(self, root: Path, conversation: str, point: str = "", nth: int = 0, *, asks: bool = True) -> Worker:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        with self._lock:
            self._workers += 1
            number = self._workers
            told = self.witness.heard[number] = queue.Queue[dict[str, Any]]()
            job = {
                "system": self.system,
                "root": str(root),
                "database": self.database,
                "conversation": conversation,
                "witness": str(self.witness.path),
                "worker": number,
                "point": point,
                "nth": nth,
                "asks": asks,
            }
            self._zygote.stdin.write(json.dumps(job) + "\n")
            self._zygote.stdin.flush()
            pid = int(self._zygote.stdout.readline())
            return Worker(pid=pid, process=os.pidfd_open(pid), told=told)

    def undisturbed(self) -> None:
        """How long a conversation takes, for the moments to draw."""
        for number in range(2):
            worker = self.start(self.roots[0], f"calm{number}")
            worker.told.get(timeout=PATIENCE)
            began = time.monotonic()
            worker.told.get(timeout=PATIENCE)
            self.typical = time.monotonic() - began
            worker.kill()

    def conversation(self, number: int) -> None:
        draw = random.Random(f"{self.seed}-{self.system}-{number}")
        name, root = f"c{number}", draw.choice(self.roots)
        self._killed(draw, root, name)
        while draw.random() < SECOND_KILL:
            self._killed(draw, root, name)
        done: dict[str, Any] = {}
        if draw.random() < RACES:
            both = [self.start(root, name, asks=asks) for asks in (True, False)]
            for worker in both:
                self._finished(worker)  # what it says is not judged: the other may still be at it
            with self.tally.lock:
                self.tally.raced.add(name)
        done = self._finished(self.start(root, name))
        self._judge(name, done)

    def _killed(self, draw: random.Random, root: Path, name: str) -> None:
        """Start a worker and kill it, unless it comes to its end before the moment that was drawn."""
        if draw.random() < RANDOM:
            worker, point = self.start(root, name), "at random"
            worker.told.get(timeout=PATIENCE)
            killed = _wait(worker.told, draw.uniform(0, self.typical)) is None
        else:
            point, nth = draw_point(draw, self.system)
            worker = self.start(root, name, point, nth)
            worker.told.get(timeout=PATIENCE)
            killed = "at" in (_wait(worker.told, PATIENCE) or {"at": "it hangs"})
        if worker.kill() and killed:
            with self.tally.lock:
                self.tally.kills += 1
                self.tally.by_point[point] += 1

    def _finished(self, worker: Worker) -> dict[str, Any]:
        told: dict[str, Any] | None = {"started": True}
        while told is not None and "done" not in told:
            told = _wait(worker.told, PATIENCE)
        worker.kill()
        return told["done"] if told else {"why": "it hangs", "in_order": False, "replies": []}

    def _judge(self, name: str, done: dict[str, Any]) -> None:
        said = "\n".join(done["replies"])
        with self.tally.lock:
            self.tally.conversations += 1
            if done["why"] or not done["in_order"]:
                self.tally.unreadable.append(f"{name}: {done['why'] or 'a call and its answer are apart'}")
            for who, _ in PAYMENTS:
                to = f"{who}-{name}"
                if not self.witness.effects[to]:
                    self.tally.lost.append(f"{to}: not paid: {done['replies']}")
                elif f"paid to {to}" not in said:
                    self.tally.lost.append(f"{to}: paid, and the conversation does not know: {done['replies']}")

    def run(self, kills: int) -> dict[str, Any]:
        began = time.monotonic()
        self.undisturbed()
        self.witness.effects.clear()
        number = 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while self.tally.kills < kills:
                batch = range(number, number + 2 * AT_ONCE)
                number += len(batch)
                list(pool.map(self.conversation, batch))
                print(f"{self.system}: {self.tally.kills} of {kills} kills", file=sys.stderr)
        tally, doubled = self.tally, [to for to, times in self.witness.effects.items() if times > 1]
        return {
            "kills": tally.kills,
            "effects": self.witness.effects.total(),
            "doubled": len(doubled),
            "lost": len(tally.lost),
            "unknown_surfaced": len(self.witness.unknown),
            "unreadable": len(tally.unreadable),
            "conversations": tally.conversations,
            "races": len(tally.raced),
            "doubled_in_races": sum(to.partition("-")[2] in tally.raced for to in doubled),
            "wanted": tally.conversations * len(PAYMENTS),
            "by_point": dict(sorted(tally.by_point.items())),
            "what_went_wrong": sorted([f"{to}: doubled" for to in doubled] + tally.lost + tally.unreadable)[:40],
            "seconds": round(time.monotonic() - began, 1),
        }


def _wait(told: queue.Queue[dict[str, Any]], seconds: float) -> dict[str, Any] | None:
    try:
        return told.get(timeout=seconds)
    except queue.Empty:
        return None


def measure(system: str, kills: int, database: str | None, folder: Path, seed: int) -> dict[str, Any]:
    """``database``: a server's address; None: a file in ``folder``."""
    from benchmarks.crash_bailiwick import make_project

    folder.mkdir()
    roots = [folder / "ask", folder / "lookup"]
    if system == "bailiwick":
        for root in roots:
            make_project(root, lookup=root.name == "lookup")
    else:
        roots[0].mkdir()
        roots.pop()
    with Witness(folder / "witness") as witness:
        harness = Harness(system, database, roots, witness, seed)
        try:
            return harness.run(kills)
        finally:
            harness.close()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--baseline", choices=("langgraph",))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    systems = ["bailiwick", *([given.baseline] if given.baseline else [])]
    found: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bailiwick-crash-")))
        server = None
        if given.database == "postgresql":
            from benchmarks.postgresql import fresh_database, temporary_postgresql

            server = stack.enter_context(temporary_postgresql())
        for system in systems:
            database = None if server is None else fresh_database(server, f"crash_{system}")
            found[system] = measure(system, given.kills, database, folder / system, given.seed)
    if given.json:
        print(json.dumps(found if given.baseline else found["bailiwick"], indent=2))
    else:
        _show(given.database, found)
    ours = found["bailiwick"]
    return 1 if ours["doubled"] or ours["lost"] or ours["unreadable"] else 0


def _show(database: str, found: dict[str, dict[str, Any]]) -> None:
    keys = ("kills", "conversations", "effects", "wanted", "doubled", "lost", "unknown_surfaced", "unreadable")
    print(f"{database:<16}" + "".join(f"{system:>12}" for system in found))
    for key in keys:
        print(f"{key:<16}" + "".join(f"{each[key]:>12}" for each in found.values()))
    for system, each in found.items():
        for line in each["what_went_wrong"]:
            print(f"{system}: {line}")


if __name__ == "__main__":
    sys.exit(main())
