"""Limits by control groups, version 1 or 2, where this user may make one."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bailiwick.sandbox.environment import RUNNER_PIDS
from bailiwick.sandbox.ownership import process_started
from bailiwick.sandbox.spec import Spec

__all__ = ["CgroupLimiter", "Cgroups", "open_cgroups"]

_NEEDED = ("memory", "pids", "cpu")
_PERIOD_US = 100_000
_OURS = "bailiwick"
_NUMBERS = itertools.count(1)
"""One count for all limiters of the process, whose groups lie side by side."""


@dataclass(frozen=True, kw_only=True)
class Cgroups:
    """Our own group in each hierarchy that limits something; with version 2 all three are one."""

    version: int
    groups: Mapping[str, Path]


def open_cgroups() -> Cgroups:
    """Make our group. Raises OSError when the hierarchies are not there or not ours to write."""
    mounted = _mounted()
    if all(name in mounted for name in _NEEDED):
        groups = {name: mounted[name] / _OURS for name in _NEEDED}
        for group in groups.values():
            group.mkdir(exist_ok=True)
            _may_write(group)
        return Cgroups(version=1, groups=groups)
    if (root := mounted.get("unified")) is not None:
        has = set((root / "cgroup.controllers").read_text().split())
        if set(_NEEDED) <= has:
            group = root / _OURS
            group.mkdir(exist_ok=True)
            for folder in (root, group):
                (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in _NEEDED))
            _may_write(group)
            return Cgroups(version=2, groups=dict.fromkeys(_NEEDED, group))
    raise OSError(errno.ENOENT, "no cgroup hierarchy with memory, pids and cpu is here")


def _mounted() -> dict[str, Path]:
    """Controller → where it is mounted; ``unified``: version 2."""
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found.setdefault("unified", Path(place))
        elif kind == "cgroup":
            for name in options.split(","):
                found.setdefault(name, Path(place))
    return found


def _may_write(group: Path) -> None:
    if not os.access(group, os.W_OK):
        raise PermissionError(errno.EACCES, "not writable", str(group))


class CgroupLimiter:
    """A group for each container, removed after it. The kernel keeps every limit."""

    exact = True

    def __init__(self, cgroups: Cgroups) -> None:
        self._cgroups = cgroups
        self._owner = f"{os.getpid()}-{process_started(os.getpid())}"
        self.name = f"cgroup v{cgroups.version}"
        self._remove_abandoned()

    def guard(self, pid: int, spec: Spec, kill: Callable[[], None]) -> CgroupGuard:
        name = f"{self._owner}-{next(_NUMBERS)}"
        groups = {controller: group / name for controller, group in self._cgroups.groups.items()}
        guard = CgroupGuard(self._cgroups.version, groups, pid)
        try:
            for group in set(groups.values()):
                group.mkdir()
            guard.set(spec)
            for group in set(groups.values()):
                (group / "cgroup.procs").write_text(str(pid))
        except OSError:
            guard.close()
            raise
        return guard

    def _remove_abandoned(self) -> None:
        """Groups whose owner was killed; the containers in them have died with it."""
        for parent in set(self._cgroups.groups.values()):
            for group in parent.glob("*-*-*"):
                pid, started, _ = group.name.split("-", 2)
                if pid.isdecimal() and process_started(int(pid)) != started:
                    with contextlib.suppress(OSError):
                        group.rmdir()


class CgroupGuard:
    rlimits: Mapping[str, int] = {}

    def __init__(self, version: int, groups: Mapping[str, Path], pid: int) -> None:
        self._version, self._groups, self._pid = version, groups, pid
        self._oom_kills = 0

    def set(self, spec: Spec) -> None:
        memory, pids, cpu = (self._groups[name] for name in _NEEDED)
        quota = max(1000, int(spec.cpu * _PERIOD_US))
        (pids / "pids.max").write_text(str(spec.pids + RUNNER_PIDS))
        if self._version == 1:
            (memory / "memory.limit_in_bytes").write_text(str(spec.memory))
            if (swap := memory / "memory.memsw.limit_in_bytes").exists():  # absent: swap is not accounted, or not there
                swap.write_text(str(spec.memory))
            else:
                (memory / "memory.swappiness").write_text("0")
            (cpu / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (cpu / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (memory / "memory.max").write_text(str(spec.memory))
            if (swap := memory / "memory.swap.max").exists():
                swap.write_text("0")
            (cpu / "cpu.max").write_text(f"{quota} {_PERIOD_US}")

    def limits(self) -> Mapping[str, object]:
        """Read back from the kernel; empty when the container's first process is not in these groups."""
        memory, pids, cpu = (self._groups[name] for name in _NEEDED)
        if any(str(self._pid) not in (group / "cgroup.procs").read_text().split() for group in (memory, pids, cpu)):
            return {}
        number = {"pids": _number(pids / "pids.max")}
        if self._version == 1:
            quota, period = _number(cpu / "cpu.cfs_quota_us"), _number(cpu / "cpu.cfs_period_us")
            number["memory"] = _number(memory / "memory.limit_in_bytes")
            if (swap := memory / "memory.memsw.limit_in_bytes").exists():
                number["swap"] = _number(swap)
        else:
            quota, period = map(int, (cpu / "cpu.max").read_text().split())
            number["memory"] = _number(memory / "memory.max")
            if (swap := memory / "memory.swap.max").exists():
                number["swap"] = _number(swap)
        return {**number, "cpu": quota / period}

    def overstepped(self) -> bool:
        file = "memory.oom_control" if self._version == 1 else "memory.events"
        with contextlib.suppress(OSError):
            for line in (self._groups["memory"] / file).read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    self._oom_kills = int(count)
        return self._oom_kills > 0

    def close(self) -> None:
        for group in set(self._groups.values()):
            for _ in range(50):  # the last process may still be on its way out
                try:
                    group.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)
                else:
                    break


def _number(file: Path) -> int:
    return int(file.read_text())
