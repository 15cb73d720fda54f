"""A process that has imported everything and forks a worker for each line it reads, since importing takes seconds.

Run by ``benchmarks.crash`` only. A line is a job; the answer is the worker's process id.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from typing import Any

from benchmarks import crash_bailiwick, crash_langgraph
from benchmarks.crash_model import Bank
from benchmarks.crash_points import Points
from benchmarks.crash_witness import say

__all__: list[str] = []

SYSTEMS = {"bailiwick": crash_bailiwick.converse, "langgraph": crash_langgraph.converse}


def _work(job: dict[str, Any]) -> None:
    def tell(**told: Any) -> None:
        say(job["witness"], {"worker": job["worker"], **told})

    points = Points(
        target=job["point"],
        nth=job["nth"],
        tell=lambda: tell(at=job["point"]),
        begun=lambda: tell(started=True),
        asks=job["asks"],
    )
    bank = Bank(witness=job["witness"], points=points)
    try:
        converse = SYSTEMS[job["system"]]
        done = asyncio.run(converse(job["root"], job["database"], job["conversation"], bank, points))
    except BaseException as error:  # noqa: BLE001  told, so that it is counted
        traceback.print_exc()
        done = {"why": f"{type(error).__name__}: {error}", "in_order": False, "replies": []}
    tell(done=done)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a worker: the system takes it away
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _work(json.loads(line))
            finally:
                sys.stderr.flush()
                os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
