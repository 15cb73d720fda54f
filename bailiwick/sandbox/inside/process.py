"""What Python has no function for: process flags by ``prctl(2)``, and leaving a set-up user behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from pathlib import Path
from typing import Any

__all__ = ["be_first_to_be_killed", "cpu_seconds", "enter", "oom_kills", "seal", "unseal", "used"]

_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 24, 38
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 2, 4, 8, 32
_LAST_CAP = Path("/proc/sys/kernel/cap_last_cap")
_TICKS = os.sysconf("SC_CLK_TCK")
_CAPABILITY_VERSION_3 = 0x20080522

_libc: Any = ctypes.CDLL(None, use_errno=True)


def _must(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def seal() -> None:
    """Hide this process's memory and descriptors in /proc from the tool, which has the same uid."""
    _must(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl(PR_SET_DUMPABLE)")


def unseal() -> None:
    """Give a child its own /proc/self back."""
    _must(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl(PR_SET_DUMPABLE)")


def be_first_to_be_killed() -> None:
    """Under memory pressure the kernel takes the tool, so that the runner lives to tell."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def enter(*, uid: int, gid: int, disk: int) -> None:
    """Finish what bubblewrap has no option for: /tmp sized and without exec, no capability left, the uid of the spec.

    Runs before anything is read. bubblewrap lends the capabilities for it; here they end, for good.
    """
    os.chmod("/tmp", 0o1777)  # noqa: S103, S108, PTH101
    flags = _MS_REMOUNT | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    _must(_libc.mount(None, b"/tmp", None, flags, b"size=%d" % disk), "mount(/tmp)")
    for capability in range(int(_LAST_CAP.read_text()) + 1):
        _must(_libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0), "prctl(PR_CAPBSET_DROP)")
    if os.getuid() != uid:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _must(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    _must(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")
    if os.getresuid() != (uid, uid, uid) or os.getresgid() != (gid, gid, gid):
        raise OSError("the uid of the spec was not taken")


def cpu_seconds(pid: int) -> float:
    """CPU time that ``pid`` has used, by its clock (clock_getcpuclockid(3)); 0 when there is no such process."""
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)
    return 0.0


def used(pid: int) -> tuple[float, int]:
    """CPU seconds of ``pid`` and its ended children, and the most memory it had in bytes, while it is there."""
    own, peak, children = cpu_seconds(pid), 0, 0.0
    with contextlib.suppress(OSError, ValueError, IndexError):
        told = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        children = (int(told[13]) + int(told[14])) / _TICKS
    with contextlib.suppress(OSError, ValueError, IndexError):
        peak = int(_read(f"/proc/{pid}/status").partition(b"VmHWM:")[2].split(maxsplit=1)[0]) * 1024
    return own + children, peak


def _read(file: str) -> bytes:
    # By the plainest means: this lies on the way of every answer.
    descriptor = os.open(file, os.O_RDONLY)
    try:
        return os.read(descriptor, 8192)
    finally:
        os.close(descriptor)


def oom_kills() -> int:
    """How often the kernel killed here for want of memory, where the container can see its own cgroup; else 0."""
    for file in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        with contextlib.suppress(OSError, ValueError):
            for line in Path(file).read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0
