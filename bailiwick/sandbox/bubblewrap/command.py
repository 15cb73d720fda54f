"""A spec as bubblewrap's command line. Everything that hardens a container stands here, on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from bailiwick.sandbox.environment import ENVIRONMENT, runner_settings
from bailiwick.sandbox.image import COMMAND, PythonTree
from bailiwick.sandbox.mounts import group_of
from bailiwick.sandbox.spec import Mount, Spec

__all__ = ["bubblewrap_command"]

_DEVICES = ("null", "zero", "full", "random", "urandom")
_SYSTEM = ("usr", "lib", "lib64", "bin", "etc", "bailiwick")


def bubblewrap_command(
    spec: Spec,
    *,
    bwrap: str,
    tree: PythonTree,
    as_root: bool,
    seccomp_fd: int,
    info_fd: int,
    block_fd: int,
    own: Sequence[Mount] = (),
) -> list[str]:
    """The command and its arguments.

    ``as_root``: the host's user is root, so that no user namespace is needed and the runner takes the spec's uid for
    real, as in Docker; otherwise the spec's uid inside is this user's outside. In both cases the runner is lent the
    capabilities for its first step (``inside/process.py``, ``enter``) and gives them up in it. ``own`` are mounts of
    this one container, beside the spec's.
    """
    mounts = (*spec.mounts, *own)
    uid, gid = spec.uid, group_of(spec.uid)
    command = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    lent = ["CAP_SYS_ADMIN", "CAP_SETPCAP"]
    if as_root:
        lent += ["CAP_SETUID", "CAP_SETGID"]
    else:
        command += ["--unshare-user", "--uid", str(uid), "--gid", str(gid)]
    if spec.network:
        lent.append("CAP_NET_BIND_SERVICE")  # the ports of the hosts it may reach are below 1024
    command += ["--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "sandbox", "--clearenv"]
    for name, value in ENVIRONMENT.items():
        command += ["--setenv", name, value]
    command += ["--cap-drop", "ALL"]
    for capability in lent:
        command += ["--cap-add", capability]
    command += ["--seccomp", str(seccomp_fd), "--info-fd", str(info_fd), "--block-fd", str(block_fd)]
    for name in _SYSTEM:
        command += ["--ro-bind", str(tree.root / name), f"/{name}"]
    command += ["--proc", "/proc", "--tmpfs", "/dev"]
    for name in _DEVICES:
        command += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        command += ["--symlink", f"/proc/self/{target}", f"/dev/{name}"]
    command += ["--remount-ro", "/dev", "--tmpfs", "/tmp"]  # noqa: S108
    # Made before they are needed: bubblewrap would make them for root alone.
    for folder in ("/tool", "/work", *_folders_above(mounts)):
        command += ["--dir", folder]
    for mount in mounts:
        command += ["--bind" if mount.write else "--ro-bind", str(mount.source), mount.target]
    command += ["--remount-ro", "/", "--chdir", "/"]
    enter = {"uid": uid, "gid": gid, "disk": max(spec.disk, 4096)}
    return [*command, "--", tree.python, *COMMAND, runner_settings(spec, enter=enter)]


def _folders_above(mounts: Sequence[Mount]) -> list[str]:
    """Every folder on the way to a mount, outermost first, without what is mounted itself."""
    mounted = {mount.target for mount in mounts}
    above = {str(folder) for mount in mounts for folder in PurePosixPath(mount.target).parents}
    return sorted(above - mounted - {"/", "/tool", "/work", *(f"/{name}" for name in _SYSTEM)})
