"""What this container is, told by itself before it may serve: read from the kernel, and tried.

The host holds it against what the policy compiled to. It runs before any code of a tool's is here.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import platform
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bailiwick.sandbox.inside import process

__all__ = ["look"]

_STATUS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_CALLS = {
    "x86_64": {
        "add_key": 248, "bpf": 321, "init_module": 175, "kexec_load": 246, "keyctl": 250, "open_by_handle_at": 304,
        "perf_event_open": 298, "process_vm_readv": 310, "userfaultfd": 323,
    },
    "aarch64": {
        "add_key": 217, "bpf": 280, "init_module": 105, "kexec_load": 104, "keyctl": 219, "open_by_handle_at": 265,
        "perf_event_open": 241, "process_vm_readv": 270, "userfaultfd": 282,
    },
}  # fmt: skip
_EVERYWHERE = {"io_uring_setup": 425, "open_tree": 428, "fsopen": 430}
"""Calls whose numbers are the same on every machine."""
_NEW_USER, _NEW_NET, _NEW_MOUNT = 0x1000_0000, 0x4000_0000, 0x0002_0000
_FAMILIES = {"netlink": 16, "packet": 17, "alg": 38, "vsock": 40}
_LIMITS = {
    "memory": ("memory.max", "memory/memory.limit_in_bytes"),
    "swap": ("memory.swap.max", "memory/memory.memsw.limit_in_bytes"),
    "pids": ("pids.max", "pids/pids.max"),
}
_COVERED = (
    "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug",
    "/proc/scsi", "/sys/firmware", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
)  # fmt: skip
"""Places that an OCI runtime covers, or makes read-only, where the kernel has them."""
_CGROUP = Path("/sys/fs/cgroup")


def look() -> dict[str, Any]:
    """The report, made in a child: what is tried must not change the process that serves."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(source)
            process.unseal()
            data = json.dumps(_report()).encode()
            while data:
                data = data[os.write(sink, data) :]
        finally:
            os._exit(0)
    os.close(sink)
    parts = bytearray()
    while part := os.read(source, 65_536):
        parts += part
    os.close(source)
    os.waitpid(child, 0)
    return json.loads(parts) if parts else {}


def _report() -> dict[str, Any]:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    mounts = _mounts()
    return {
        "uid": list(os.getresuid()),
        "gid": list(os.getresgid()),
        "groups": sorted(set(os.getgroups()) - {os.getgid()}),
        "capabilities": {name: int(status[name], 16) for name in _STATUS if name in status},
        "no_new_privileges": int(status.get("NoNewPrivs", "0")),
        "seccomp": int(status.get("Seccomp", "0")),
        "mounts": mounts,
        "uncovered": [place for place in _COVERED if place not in mounts and Path(place).exists()],
        "devices": _devices(),
        "interfaces": _interfaces(),
        "limits": _limits(),
        "environment": sorted(os.environ),
        "kernel": platform.release(),
        "acts": {name: _outcome(act) for name, act in _acts().items()},
    }


def _mounts() -> dict[str, dict[str, Any]]:
    """Where something is mounted → its kind, whether it can be written, its flags and its size; the last one counts."""
    found: dict[str, dict[str, Any]] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        point, options = before.split()[4:6]
        kind, _, of_file_system = after.split(" ", 2)
        flags = options.split(",")
        read_only = "ro" in flags or "ro" in of_file_system.split(",")
        place = point.encode().decode("unicode_escape")
        told: dict[str, Any] = {
            "type": kind,
            "mode": "ro" if read_only else "rw",
            "flags": sorted({"nosuid", "nodev", "noexec"} & set(flags)),
        }
        with contextlib.suppress(OSError):
            there = Path(place).stat()
            told["file"] = [there.st_dev, there.st_ino]
        if kind == "tmpfs" and not read_only:
            with contextlib.suppress(OSError):
                state = os.statvfs(place)
                told["size"] = state.f_blocks * state.f_frsize
        found[place] = told
    return found


def _devices() -> list[str]:
    """Every device below /dev, by its name there; no link is followed."""
    found: list[str] = []
    for folder, _, files in os.walk("/dev"):
        for name in files:
            place = Path(folder, name)
            if not place.is_symlink() and (place.is_char_device() or place.is_block_device()):
                found.append(str(place.relative_to("/dev")))
    return sorted(found)


def _interfaces() -> list[str]:
    return sorted(line.partition(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:])


def _limits() -> dict[str, Any]:
    """Limits as this container's own cgroup has them; what it cannot see is left out."""
    found: dict[str, Any] = {}
    for name, files in _LIMITS.items():
        for file in files:
            with contextlib.suppress(OSError, ValueError):
                told = (_CGROUP / file).read_text().strip()
                found[name] = int(told) if told != "max" else None
                break
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        found["cpu"] = int(quota) / int(period) if quota != "max" else None
        return found
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota = int((_CGROUP / "cpu/cpu.cfs_quota_us").read_text())
        period = int((_CGROUP / "cpu/cpu.cfs_period_us").read_text())
        found["cpu"] = quota / period if quota > 0 else None
    return found


def _acts() -> dict[str, Callable[[], Any]]:
    """What no tool may do, harmless where it succeeds: the container is destroyed then."""
    libc: Any = ctypes.CDLL(None, use_errno=True)

    def must(result: int) -> None:
        if result < 0:
            raise OSError(ctypes.get_errno(), "")

    def call(number: int) -> None:
        # Null and -1 everywhere: a call that is let through fails for its arguments, and says so by another errno.
        must(libc.syscall(number, 0, 0, 0, 0, -1))

    acts: dict[str, Callable[[], Any]] = {
        "write /": lambda: Path("/.probe").open("wb").close(),
        "write /usr": lambda: Path("/usr/.probe").open("wb").close(),
        "setuid 0": lambda: os.setuid(0),
        "setgid 0": lambda: os.setgid(0),
        "mknod": lambda: os.mknod("/tmp/.probe-device", 0o20666, os.makedev(1, 3)),  # noqa: S108
        "chroot": lambda: os.chroot("/"),
        "mount": lambda: must(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
        "umount": lambda: must(libc.umount2(b"/proc", 2)),
        "unshare user": lambda: must(libc.unshare(_NEW_USER)),
        "unshare net": lambda: must(libc.unshare(_NEW_NET)),
        "unshare mount": lambda: must(libc.unshare(_NEW_MOUNT)),
        "read the runner": lambda: Path("/proc/1/mem").open("rb").close(),
        "write core_pattern": lambda: Path("/proc/sys/kernel/core_pattern").open("r+b").close(),
        "write sysrq-trigger": lambda: Path("/proc/sysrq-trigger").open("r+b").close(),
        "read kcore": lambda: _read_some("/proc/kcore"),
        "sethostname": lambda: socket.sethostname("probe"),
    }
    for name, family in _FAMILIES.items():
        acts[f"socket {name}"] = lambda family=family: socket.socket(family, socket.SOCK_RAW).close()
    acts["socket raw"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()
    for name, number in (*_CALLS.get(platform.machine(), {}).items(), *_EVERYWHERE.items()):
        acts[name] = lambda number=number: call(number)
    return acts


def _read_some(file: str) -> None:
    """One that is covered by /dev/null opens, and has nothing in it."""
    with Path(file).open("rb") as found:
        if not found.read(1):
            raise PermissionError(errno.EACCES, "nothing is in it")


def _outcome(act: Callable[[], Any]) -> str:
    """The name of the error that stopped it, or ``done``."""
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "done")
    except struct.error:
        return "done"
    return "done"
