"""From the sandbox half of a policy to the one value that decides what a container can touch."""

from __future__ import annotations

import os
from pathlib import Path

from bailiwick.errors import PolicyError, SandboxRefused
from bailiwick.policy import Policy
from bailiwick.sandbox.egress import endpoints_of
from bailiwick.sandbox.mounts import NOBODY, project_mount, readable, unwritable
from bailiwick.sandbox.requirements import site_folder
from bailiwick.sandbox.spec import Mount, Spec

__all__ = ["compile_spec", "inside_path"]


def inside_path(file: Path) -> str:
    """Where a tool's file is seen inside: alone, whatever lies beside it on the host."""
    return f"/tool/{file.name}"


def compile_spec(policy: Policy, *, project: Path, tool_file: Path) -> Spec:
    """What a container for ``policy`` is; the policy's paths are relative to ``project`` and seen under /work.

    Raises PolicyError for paths that leave the project, are absent or lead out by a link, and for requirements that
    are not installed. Raises SandboxRefused for what no container may write (files that belong to another user).
    """
    half = policy.sandbox
    beside = project / "policies" / f"{policy.tool}.yaml"
    policy_file = beside if beside.is_file() else None
    files = [
        project_mount(project, path, write=write, key=f"sandbox.files.{kind}", policy_file=policy_file)
        for kind, write, paths in (("read", False, half.files.read), ("write", True, half.files.write))
        for path in paths
    ]
    _refuse_twice(files, policy_file)
    uid = os.getuid() if os.getuid() != 0 and half.files.write else NOBODY
    tool = Mount(source=tool_file.resolve(), target=inside_path(tool_file))
    _check_modes([tool, *files], uid)
    site: list[Mount] = []
    if half.requirements:
        site.append(Mount(source=site_folder(half.requirements, policy_file=policy_file), target="/site"))
    limits = half.limits
    return Spec(
        image=half.image,
        # A folder comes before what is mounted inside it.
        mounts=(tool, *site, *sorted(files, key=lambda mount: mount.target)),
        uid=uid,
        cpu=limits.cpu,
        memory=limits.memory,
        pids=limits.pids,
        disk=limits.disk,
        runtime=half.runtime,
        network=endpoints_of(half.network),
        network_bytes=half.network.bytes,
        isolation=half.isolation,
    )


def _refuse_twice(files: list[Mount], policy_file: Path | None) -> None:
    seen: dict[str, bool] = {}
    for mount in files:
        if seen.setdefault(mount.target, mount.write) != mount.write:
            raise PolicyError(
                f"{mount.target.removeprefix('/work/')!r} is listed under read and under write",
                file=policy_file,
                key="sandbox.files",
                fix="keep it in one of them",
            )


def _check_modes(mounts: list[Mount], uid: int) -> None:
    for mount in mounts:
        if not readable(mount.source, uid):
            raise SandboxRefused(
                f"{mount.source} cannot be read by the uid {uid} that containers run as",
                fix=f"chmod -R o+rX {mount.source}",
            )
        if mount.write and (blocked := unwritable(mount.source, uid)) is not None:
            raise SandboxRefused(
                f"{blocked} cannot be written by the uid {uid} that containers run as",
                fix=f"chown -R {uid}:{uid} {mount.source}" if os.getuid() == 0 else f"chmod -R u+rwX {mount.source}",
            )
