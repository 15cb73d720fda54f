"""What bubblewrap can leave behind: a half-made container that has not run anything and waits for a dead parent.

``--die-with-parent`` takes hold only late in bubblewrap's own set-up. A host that is killed in the milliseconds before
leaves a process in a pid namespace of its own, which does nothing but hold it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

__all__ = ["end_orphans"]

_NAME = "bwrap"
_OURS = b"/bailiwick/start.py"


def end_orphans() -> list[int]:
    """Kill the half-made containers whose parent is gone; their pids.

    The parent of a live one is always another ``bwrap``, and one that runs is no ``bwrap`` any more.
    """
    own = Path("/proc/self/ns/pid").readlink()
    ended: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            name, parent = _name_and_parent(folder)
            if name != _NAME or _OURS not in (folder / "cmdline").read_bytes():
                continue
            if (folder / "ns/pid").readlink() == own or _name_and_parent(Path("/proc", parent))[0] == _NAME:
                continue
            os.kill(int(folder.name), signal.SIGKILL)
            ended.append(int(folder.name))
    return ended


def _name_and_parent(folder: Path) -> tuple[str, str]:
    before, _, after = (folder / "stat").read_text(errors="replace").rpartition(")")
    return before.partition("(")[2], after.split()[1]
