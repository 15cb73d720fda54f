"""What every peer's program does: say that it is ready, then answer each line with a call's time, until there is none.

Runs in the peers' own environment, so nothing of Bailiwick can be imported here.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

__all__ = ["serve"]


def serve(call: Callable[[str], str], *, afterwards: Callable[[], None] = lambda: None) -> None:
    """Give ``call`` the code of each line; what it printed is the tool's own seconds. ``afterwards`` is not timed."""
    sink, sys.stdout = sys.stdout, sys.stderr  # what a library prints is not an answer
    print(json.dumps({"ready": True}), file=sink, flush=True)
    for line in sys.stdin:
        code = json.loads(line)["code"]
        started = time.perf_counter()
        try:
            said = call(code)
            whole = time.perf_counter() - started
        finally:
            afterwards()
        print(json.dumps({"whole": whole, "tool": float(said)}), file=sink, flush=True)
