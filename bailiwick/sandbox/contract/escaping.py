"""Attacks by the ways in which containers were left before: descriptors, executables, masked paths, engines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bailiwick.sandbox.contract.attack import Attack, CannotBeTried, Scene
from bailiwick.sandbox.contract.judges import Judge, all_refused
from bailiwick.sandbox.contract.one_call import OneCall

__all__ = ["ESCAPING"]

_SOCKETS = (
    *("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"),
    *("/run/crio/crio.sock", "/run/buildkit/buildkitd.sock", "/run/systemd/private", "/run/dbus/system_bus_socket"),
    *("/run/user/0/docker.sock", "/run/user/1000/docker.sock", "/run/user/1000/podman/podman.sock"),
    *("/run/snapd.socket", "/run/docker/containerd/containerd.sock"),
)


def _escapes(
    name: str, tried: str, promise: str, function: str, judge: Judge, *, cves: tuple[str, ...] = (), **more: Any
) -> Attack:
    attempt = OneCall(file="escape.py", function=function, judge=judge, **more)
    return Attack(name=name, tried=tried, promise=promise, attempt=attempt, cves=cves)


async def _find_engines(scene: Scene) -> str:
    judge = all_refused("ECONNREFUSED", "ENOTDIR")
    if wrong := judge(await scene.call("escape.py", "find_engines", {"sockets": _SOCKETS})):
        return wrong
    if not await asyncio.to_thread(_any_is_there, _SOCKETS):
        raise CannotBeTried("no engine of containers listens on this machine, so there was none to be found")
    return ""


def _any_is_there(paths: Sequence[str]) -> bool:
    return any(Path(path).exists() for path in paths)


async def _walk_out(scene: Scene) -> str:
    sentinel = (scene.folder / "outside.txt").resolve()
    judge = all_refused("ENOTDIR", "EBADF")
    return judge(await scene.call("escape.py", "walk_out", {"sentinel": os.fspath(sentinel)}))


ESCAPING: tuple[Attack, ...] = (
    Attack(
        name="walk-out",
        tried="reaches a file of the host's upwards from every descriptor, working folder and root in /proc",
        promise="no folder of the host's is held by any process inside",
        attempt=_walk_out,
        cves=("CVE-2024-21626", "CVE-2016-9962"),
    ),
    _escapes(
        "executables",
        "overwrites the running interpreter by /proc/self/exe, /proc/1/exe and a held path",
        "what runs inside cannot be written from inside",
        "overwrite_executables",
        all_refused("ENXIO"),
        cves=("CVE-2019-5736",),
    ),
    _escapes(
        "knobs",
        "opens for writing core_pattern, modprobe, binfmt_misc, sysrq-trigger, uevent_helper and their like",
        "the kernel's settings cannot be written",
        "turn_knobs",
        all_refused("EISDIR", "ENOTDIR", "EIO"),
        cves=("CVE-2025-31133", "CVE-2025-52881"),
    ),
    _escapes(
        "masked",
        "reads kcore, keys, timer_list, kallsyms, acpi, firmware and what else tells of the host",
        "what the kernel tells of the host is masked",
        "read_what_is_masked",
        all_refused("EIO", "EOPNOTSUPP", "EINVAL"),
        cves=("CVE-2025-31133", "CVE-2025-52565"),
    ),
    _escapes(
        "devices",
        "opens disks, memory, terminals and consoles, and looks whether /dev/null is another",
        "there are five devices, and each is what its name says",
        "open_devices",
        all_refused("ENXIO", "ENOTDIR"),
        cves=("CVE-2025-52565", "CVE-2025-31133"),
    ),
    _escapes(
        "make-devices",
        "makes device files in /tmp and in a write mount",
        "no device can be made",
        "make_devices",
        all_refused(),
        writes=True,
    ),
    _escapes(
        "host-files", "reads files that a host has", "no file of the host's is inside", "read_the_host", all_refused()
    ),
    Attack(
        name="engines",
        tried="connects to engines of containers, by every name of their sockets",
        promise="nobody who could start another container can be reached",
        attempt=_find_engines,
        cves=("CVE-2020-15257",),
    ),
    _escapes(
        "cgroup",
        "writes release_agent, cgroup.procs and limits, and makes groups",
        "control groups cannot be written from inside",
        "leave_the_cgroup",
        all_refused("ENOTDIR"),
        cves=("CVE-2022-0492",),
    ),
)
