"""Whose a container is: labels by which a later process recognises what a dead one left, and removes only that."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

__all__ = ["MARK", "abandoned", "machine", "owner_labels", "process_started"]

MARK = "bailiwick.machine"
_BOOT, _PID, _STARTED, _SPEC = "bailiwick.boot", "bailiwick.owner.pid", "bailiwick.owner.started", "bailiwick.spec"


def owner_labels(spec_digest: str) -> dict[str, str]:
    """Labels that name this process for good: a pid alone is given out again."""
    pid = os.getpid()
    return {MARK: machine(), _BOOT: _boot(), _PID: str(pid), _STARTED: process_started(pid), _SPEC: spec_digest}


def abandoned(labels: Mapping[str, str]) -> bool:
    """Whether the process that made a container is dead. What another machine or pid namespace made is not ours."""
    if labels.get(MARK) != machine():
        return False
    if labels.get(_BOOT) != _boot():
        return True
    pid = labels.get(_PID, "")
    return not pid.isdecimal() or process_started(int(pid)) != labels.get(_STARTED)


def machine() -> str:
    """The host and the pid namespace: within it a pid means one process."""
    return f"{socket.gethostname()}/{Path('/proc/self/ns/pid').readlink()}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def process_started(pid: int) -> str:
    """When ``pid`` started, in clock ticks since boot; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
