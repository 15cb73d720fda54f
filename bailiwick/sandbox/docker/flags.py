"""A spec as the Engine API's words. Everything that hardens a container stands here, on one screen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from docker.types import HostConfig

from bailiwick.sandbox.docker.client import API_VERSION
from bailiwick.sandbox.environment import ENVIRONMENT, RUNNER_PIDS, runner_settings
from bailiwick.sandbox.image import COMMAND
from bailiwick.sandbox.mounts import group_of
from bailiwick.sandbox.seccomp import PROFILE
from bailiwick.sandbox.spec import Mount, Spec

__all__ = ["create_arguments"]


def create_arguments(
    spec: Spec,
    *,
    image: str,
    python: str,
    labels: Mapping[str, str],
    runner: Path | None,
    runtime: str | None,
    seccomp: str | None = None,
    covered: Sequence[str] = (),
    own: Sequence[Mount] = (),
) -> dict[str, Any]:
    """Arguments of docker-py's low-level ``create_container``.

    ``image`` is a digest. ``runner`` is the runner's folder where the image does not hold it. ``own`` are mounts of
    this one container, beside the spec's. ``seccomp`` is the profile in the words of an engine that does
    not take Docker's. ``covered`` are folders that the engine would make writable.
    """
    mounts: Sequence[Mount] = (*spec.mounts, *own)
    if runner is not None:
        mounts = (Mount(source=runner, target="/bailiwick"), *mounts)
    return {
        "image": image,
        "command": [],
        "entrypoint": [python, *COMMAND, runner_settings(spec)],
        "user": f"{spec.uid}:{group_of(spec.uid)}",
        "working_dir": "/",
        "environment": dict(ENVIRONMENT),
        "labels": dict(labels),
        "stdin_open": True,
        "tty": False,
        "detach": False,  # with stdin_open: the container's stdin ends when this process does
        "network_disabled": True,
        "healthcheck": {"test": ["NONE"]},
        "host_config": _host_config(
            version=API_VERSION,
            cap_drop=["ALL"],
            security_opt=[
                "no-new-privileges:true",
                seccomp or f"seccomp={json.dumps(PROFILE, separators=(',', ':'))}",
            ],
            read_only=True,
            network_mode="none",
            ipc_mode="none",
            pids_limit=spec.pids + RUNNER_PIDS,
            mem_limit=spec.memory,
            memswap_limit=spec.memory,
            nano_cpus=int(spec.cpu * 1e9),
            tmpfs={
                "/tmp": f"rw,noexec,nosuid,nodev,size={max(spec.disk, 4096)},mode=1777",  # noqa: S108
                # Otherwise more places that can be written.
                **dict.fromkeys(("/dev/mqueue", *covered), "ro,noexec,nosuid,nodev,size=4096"),
            },
            mounts=[_mount(mount) for mount in mounts],
            log_config={"Type": "none", "Config": {}},
            restart_policy={"Name": "no", "MaximumRetryCount": 0},
            init=False,
            runtime=runtime,
        ),
    }


def _host_config(**settings: Any) -> dict[str, Any]:
    return cast("Any", HostConfig)(**settings)


def _mount(mount: Mount) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(mount.source),
        "Target": mount.target,
        "ReadOnly": not mount.write,
        # Not recursive: what is mounted below a read mount would stay writable (Docker before 25).
        "BindOptions": {"Propagation": "rprivate", "NonRecursive": not mount.write},
    }
