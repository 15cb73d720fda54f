"""What a reviewer wants to see on one page: how a container is created. A change here is a change of security."""

from __future__ import annotations

import json
from pathlib import Path

from syrupy.assertion import SnapshotAssertion

from bailiwick.sandbox import Mount, Spec
from bailiwick.sandbox.bubblewrap.command import bubblewrap_command
from bailiwick.sandbox.docker.flags import create_arguments
from bailiwick.sandbox.image import PythonTree
from bailiwick.sandbox.seccomp import PROFILE

SPEC = Spec(
    image="python",
    mounts=(
        Mount(source=Path("/project/tools/orders.py"), target="/tool/orders.py"),
        Mount(source=Path("/cache/site/abc"), target="/site"),
        Mount(source=Path("/project/data/orders"), target="/work/data/orders", write=True),
    ),
)
TREE = PythonTree(root=Path("/cache/python/abc"), key="abc")


def test_docker_create_arguments(snapshot: SnapshotAssertion) -> None:
    arguments = create_arguments(
        SPEC, image="sha256:abc", python=TREE.python, labels={"bailiwick.owner.pid": "1"}, runner=None, runtime=None
    )
    options = arguments["host_config"]["SecurityOpt"]
    assert json.loads(options[1].removeprefix("seccomp=")) == PROFILE
    options[1] = "seccomp=(bailiwick/sandbox/seccomp/profile.json)"
    assert arguments == snapshot


def test_docker_create_arguments_of_another_image_and_runtime(snapshot: SnapshotAssertion) -> None:
    arguments = create_arguments(
        SPEC, image="sha256:def", python="python3", labels={}, runner=Path("/cache/runner/abc"), runtime="runsc"
    )
    assert {key: arguments["host_config"][key] for key in ("Runtime", "Mounts")} == snapshot
    assert arguments["entrypoint"] == snapshot


def test_bubblewrap_command_as_root(snapshot: SnapshotAssertion) -> None:
    command = bubblewrap_command(
        SPEC, bwrap="/usr/bin/bwrap", tree=TREE, as_root=True, seccomp_fd=3, info_fd=4, block_fd=5
    )
    assert " ".join(command).replace(" --", "\n--").splitlines() == snapshot


def test_bubblewrap_command_as_another_user(snapshot: SnapshotAssertion) -> None:
    command = bubblewrap_command(
        SPEC, bwrap="/usr/bin/bwrap", tree=TREE, as_root=False, seccomp_fd=3, info_fd=4, block_fd=5
    )
    assert " ".join(command).replace(" --", "\n--").splitlines() == snapshot


def test_allowed_system_calls(snapshot: SnapshotAssertion) -> None:
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert [{"names": " ".join(rule["names"]), "args": rule.get("args")} for rule in PROFILE["syscalls"]] == snapshot
