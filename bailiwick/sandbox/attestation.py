"""A container's own report, held against what its spec compiles to. One difference, and it may not serve.

The report comes from our runner, before any code of a tool's is in the container; what a container cannot see of
itself (bubblewrap has no cgroup file system inside) its engine reads back from the kernel.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from bailiwick.errors import AttestationFailed
from bailiwick.sandbox.environment import ENVIRONMENT, RUNNER_PIDS
from bailiwick.sandbox.mounts import group_of
from bailiwick.sandbox.spec import Mount, Spec

__all__ = ["Difference", "attest", "differences"]

_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_BY_THE_SYSTEM = {"PATH", "HOME", "HOSTNAME", "PWD", "LC_CTYPE", "TERM", "container"}
"""Names that an engine or the interpreter adds to the environment."""
_DEVICES = {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts/ptmx"}
_KERNEL = ("/proc", "/sys", "/dev")
_KERNEL_TYPES = {"proc", "sysfs", "cgroup", "cgroup2", "devtmpfs", "devpts", "mqueue", "tmpfs"}
"""What may be mounted there. Anything else is a folder or file of the host's, whatever its place is called."""
_BUBBLEWRAPS = ("/usr", "/lib", "/lib64", "/bin", "/etc")
"""Folders of the image, each mounted by itself."""
_ENGINES_OWN = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
_COVERED = ("/run", "/var/tmp", "/run/.containerenv")  # noqa: S108
"""What Podman adds: read-only here."""
_REFUSED = {"EPERM", "EACCES", "EROFS", "ENOENT", "ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT"}
_TMP = "/tmp"  # noqa: S108
_TMP_FLAGS = ["nodev", "noexec", "nosuid"]
_PAGE = 4096


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One item that is not as the spec says."""

    item: str
    wanted: object
    told: object

    def __str__(self) -> str:
        return f"{self.item} is {self.told!r}, and the policy compiles to {self.wanted!r}"


def attest(
    spec: Spec,
    kind: str,
    told_spec: str,
    report: Mapping[str, Any],
    own: tuple[Mount, ...] = (),
    files: Mapping[str, list[int]] | None = None,
) -> None:
    """Raise AttestationFailed, naming every item, when ``report`` is not what ``spec`` compiles to.

    ``files``: device and inode of what each mount must be; None: not looked at.
    """
    found = [
        *differences(spec, kind, told_spec, report, own),
        *_other_files(report.get("mounts") or {}, _comparable(files, spec, report)),
    ]
    if found:
        raise AttestationFailed(
            "a container was destroyed before it served, for it is not what its policy says: "
            + "; ".join(map(str, found[:8])),
            fix="look at what else changes containers on this machine: the engine's settings, a security module",
        )


def differences(
    spec: Spec, kind: str, told_spec: str, report: Mapping[str, Any], own: tuple[Mount, ...] = ()
) -> Iterator[Difference]:
    """Every item of ``report`` that differs. ``own`` are mounts of this one container beside the spec's."""
    gid = group_of(spec.uid)
    wanted: dict[str, object] = {
        "spec": spec.digest,
        "uid": [spec.uid] * 3,
        "gid": [gid] * 3,
        "groups": [],
        "capabilities": dict.fromkeys(_CAPABILITIES, 0),
        "no_new_privileges": 1,
        "interfaces": ["lo"],
    }
    if spec.runtime != "gvisor":  # whose own kernel has another way of filtering
        wanted["seccomp"] = 2
    told: Mapping[str, Any] = {**report, "spec": told_spec}
    for item, value in wanted.items():
        if told.get(item) != value:
            yield Difference(item=item, wanted=value, told=told.get(item))
    extra = set(cast("list[str]", told.get("environment") or [])) - set(ENVIRONMENT) - _BY_THE_SYSTEM
    if extra and spec.image == "python":  # another image brings its own, which its maker wrote into it
        yield Difference(item="environment", wanted=sorted(ENVIRONMENT), told=sorted(extra))
    if devices := set(cast("list[str]", told.get("devices") or [])) - _DEVICES:
        yield Difference(item="devices", wanted=sorted(_DEVICES), told=sorted(devices))
    yield from _limits(spec, told.get("limits") or {})
    yield from _mounts((*spec.mounts, *own), spec.disk, kind, told.get("mounts") or {})
    if kind == "docker" and told.get("uncovered") != []:
        # A race in a runtime has left them open before (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881).
        yield Difference(item="uncovered", wanted=[], told=told.get("uncovered"))
    yield from _acts(told.get("acts") or {})


def _limits(spec: Spec, told: Mapping[str, Any]) -> Iterator[Difference]:
    """Limits that the container or its engine can see; ``limits.watched``: a thread of ours keeps them."""
    if told.get("watched"):
        return
    wanted: dict[str, tuple[float, ...]] = {
        "memory": (spec.memory // _PAGE * _PAGE, spec.memory),
        "swap": (spec.memory // _PAGE * _PAGE, spec.memory, 0),  # version 1 counts memory and swap together
        "pids": (spec.pids + RUNNER_PIDS,),
    }
    for item, values in wanted.items():
        if item in told and told[item] not in values:
            yield Difference(item=f"limits.{item}", wanted=values[0], told=told[item])
    for item in ("memory", "pids", "cpu"):
        if item not in told:
            yield Difference(item=f"limits.{item}", wanted="a limit", told=None)
    cpu = told.get("cpu")
    if "cpu" in told and (not isinstance(cpu, (int, float)) or abs(cpu - spec.cpu) > 0.011):
        yield Difference(item="limits.cpu", wanted=spec.cpu, told=cpu)


def _mounts(
    mounts: tuple[Mount, ...], disk: int, kind: str, told: Mapping[str, Mapping[str, Any]]
) -> Iterator[Difference]:
    modes: dict[str, Literal["ro", "rw"]] = {mount.target: "rw" if mount.write else "ro" for mount in mounts}
    for target, mode in modes.items():
        found = told.get(target, {}).get("mode")
        if found != mode:
            yield Difference(item=f"mounts.{target}", wanted=mode, told=found)
    for point, each in told.items():
        if point not in modes and point != _TMP and not _of_the_system(point, each, kind):
            yield Difference(item=f"mounts.{point}", wanted=None, told=each.get("mode"))
    if (root := told.get("/", {}).get("mode")) != "ro":
        yield Difference(item="mounts./", wanted="ro", told=root)
    tmp = told.get(_TMP, {})
    if tmp.get("type") != "tmpfs" or tmp.get("flags") != _TMP_FLAGS:
        yield Difference(item="mounts./tmp", wanted=["tmpfs", *_TMP_FLAGS], told=[tmp.get("type"), tmp.get("flags")])
    room = -(-max(disk, _PAGE) // _PAGE) * _PAGE
    if tmp.get("size") != room:
        yield Difference(item="mounts./tmp.size", wanted=room, told=tmp.get("size"))


def _comparable(
    files: Mapping[str, list[int]] | None, spec: Spec, report: Mapping[str, Any]
) -> Mapping[str, list[int]]:
    """Only under this very kernel is a file inside known by the same numbers."""
    same = spec.runtime != "gvisor" and report.get("kernel") == platform.release()
    return files if files is not None and same else {}


def _other_files(told: Mapping[str, Mapping[str, Any]], files: Mapping[str, list[int]]) -> Iterator[Difference]:
    """Mounts that are of something else than stood there before: a link was swapped in meanwhile."""
    for target, file in files.items():
        if (found := told.get(target, {}).get("file")) != file:
            yield Difference(item=f"mounts.{target}.file", wanted=file, told=found)


def _of_the_system(point: str, told: Mapping[str, Any], kind: str) -> bool:
    """Whether what is mounted at ``point`` belongs to the engine, the image or the kernel."""
    if _below(point, _KERNEL):
        # Writable by their kind; there a file's own mode, and the acts that are tried, decide.
        return told.get("type") in _KERNEL_TYPES
    if point in _ENGINES_OWN:
        return kind == "docker" or told.get("mode") == "ro"
    image = ("/", "/bailiwick", *(_BUBBLEWRAPS if kind == "bubblewrap" else ()))
    return told.get("mode") == "ro" and (point in image or point in _COVERED)


def _below(point: str, folders: tuple[str, ...]) -> bool:
    return any(point == folder or point.startswith(f"{folder}/") for folder in folders)


def _acts(told: Mapping[str, str]) -> Iterator[Difference]:
    if not told:
        yield Difference(item="acts", wanted="tried", told=None)
    for act, outcome in told.items():
        # A user who is not root has a namespace without a user 0 in it. Root has none, and 0 is there to be refused.
        no_such_user = outcome == "EINVAL" and act in ("setuid 0", "setgid 0") and os.getuid() != 0
        if outcome not in _REFUSED and not no_such_user:
            yield Difference(item=f"acts.{act}", wanted="refused", told=outcome)
