"""Engines beside the usual one: another runtime is really asked for, and Podman keeps what Docker keeps, or says no.

Each engine is started here, with folders of its own, and stopped again. docs/engines.md says what was tried by hand.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import docker
import pytest

from bailiwick.errors import SandboxRefused, SandboxUnavailable
from bailiwick.sandbox import Mount, Request, Sandbox, Spec, diagnose, open_sandbox
from bailiwick.sandbox.contract.attacks import HOSTILE
from bailiwick.sandbox.docker.facts import ask_engine, demand_limits

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can start a second engine here"),
]
TOOL = Mount(source=HOSTILE / "exhaust.py", target="/tool/exhaust.py")

PODMAN = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
"""What Podman needs on a machine without systemd; its own default, crun, takes no machine with both cgroup versions."""
PODMAN_STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{0}/graph"\nrunroot = "{0}/run"\n'
RUNTIME = """#!/bin/sh
echo "$@" >> {asked}
exec runc "$@"
"""
"""Stands for gVisor's runsc: what counts is that it is asked."""


@contextlib.contextmanager
def engine(command: list[str], listens: Path, **environment: str) -> Iterator[str]:
    """Start an engine, and give its address once it answers."""
    with (listens.parent / "log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environment})
    address = f"unix://{listens}"
    try:
        deadline = time.monotonic() + 30
        while True:
            # docker-py leaves its own socket open where nobody answers.
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as door:
                door.connect(str(listens))
                break
            if running.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"{command[0]} does not start: {(listens.parent / 'log').read_text()[-300:]}")
            time.sleep(0.1)
        yield address
    finally:
        running.terminate()
        running.wait(30)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bw-"))
    yield folder
    for mount in sorted(
        (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()), key=len, reverse=True
    ):
        if mount.startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", mount], check=False)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def second_docker(place: Path) -> Iterator[str]:
    if not (shutil.which("dockerd") and shutil.which("runc")):
        pytest.skip("dockerd and runc are not in the PATH")
    folder = place / "docker"
    folder.mkdir()
    runtime = folder / "runsc"
    runtime.write_text(RUNTIME.format(asked=folder / "asked"))
    runtime.chmod(0o755)
    command = ["dockerd", f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    command += [f"-H=unix://{folder}/s", "--bridge=none", "--iptables=false", f"--add-runtime=runsc={runtime}"]
    with engine(command, folder / "s", DOCKER_HOST="") as address:
        yield address


@pytest.fixture(scope="module")
def podman(place: Path) -> Iterator[str]:
    if not (shutil.which("podman") and shutil.which("runc")):
        pytest.skip("podman is not installed")
    folder = place / "podman"
    folder.mkdir()
    (folder / "containers.conf").write_text(PODMAN)
    (folder / "storage.conf").write_text(PODMAN_STORAGE.format(folder))
    settings = {
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }
    command = ["podman", "system", "service", "--time=0", f"unix://{folder}/s"]
    with engine(command, folder / "s", **settings) as address:
        yield address


async def sleep(sandbox: Sandbox, spec: Spec) -> str:
    asked = Request(file="/tool/exhaust.py", function="sleep", args={"seconds": 0})
    result = await sandbox.run(spec, asked)
    assert result.cause == "ok", result
    return result.value


async def test_a_runtime_that_is_registered_is_really_asked_for(
    second_docker: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", second_docker)
    opened = await open_sandbox("docker")
    asked = place / "docker" / "asked"
    try:
        assert await sleep(opened, Spec(image="python", mounts=(TOOL,))) == "slept"
        assert not asked.exists()
        assert await sleep(opened, Spec(image="python", mounts=(TOOL,), runtime="gvisor")) == "slept"
        assert " create " in asked.read_text()
    finally:
        await opened.close()


async def test_podman_runs_a_call_and_keeps_nothing_of_it(podman: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", podman)
    opened = await open_sandbox("docker")
    try:
        # The container is attested before it serves: seccomp, capabilities, mounts and limits are what the spec says.
        assert await sleep(opened, Spec(image="python", mounts=(TOOL,))) == "slept"
    finally:
        await opened.close()
    with closing(docker.DockerClient(podman)) as client:
        assert client.containers.list(all=True) == []
        tags = [tag for image in client.images.list() for tag in image.tags]
    assert len(tags) == 1, "a tag beside our own keeps an old image"


@pytest.mark.parametrize("runtime", ["gvisor", "bubblewrap"])
async def test_podman_ignores_the_runtime_it_is_asked_for_and_so_is_not_asked(
    podman: str, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    with closing(docker.APIClient(podman)) as client:  # if this no longer holds, gVisor may be allowed with Podman
        image = client.import_image_from_data(b"\0" * 10240, repository="bailiwick/empty:1")
        assert image
        made = client.create_container(
            "bailiwick/empty:1", ["x"], host_config=client.create_host_config(runtime="no-such-runtime")
        )
        client.remove_container(made["Id"])
        client.remove_image("bailiwick/empty:1")
    monkeypatch.setenv("DOCKER_HOST", podman)
    opened = await open_sandbox("docker")
    try:
        with pytest.raises(SandboxRefused, match=f"{runtime} is demanded"):
            opened.check(Spec(image="python", runtime=runtime))
    finally:
        await opened.close()


def test_doctor_says_which_engine_it_is(podman: str, second_docker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, list[str]] = {}
    for address in (podman, second_docker):
        monkeypatch.setenv("DOCKER_HOST", address)
        told[address] = [finding.detail for finding in diagnose() if finding.name in ("docker", "gvisor")]
    assert told[podman][0].startswith("Podman ")
    assert told[podman][1].startswith("Podman gives every container its default, runc")
    assert told[second_docker][0].startswith("Docker ")
    assert told[second_docker][1] == "runsc is registered"


class Answers:
    """What a rootless Docker 20.10 without delegated control groups answered, as far as it is asked."""

    def info(self) -> Mapping[str, object]:
        return {
            "ServerVersion": "20.10.24",
            "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"],
            "CgroupDriver": "none",
            "CgroupVersion": "1",
            "Driver": "overlay2",
            "DefaultRuntime": "runc",
            "Runtimes": {"runc": {"path": "runc"}},
        }

    def version(self) -> Mapping[str, object]:
        return {"Components": [{"Name": "Engine"}, {"Name": "containerd"}, {"Name": "runc"}]}


def test_an_engine_that_takes_limits_and_does_not_keep_them_is_no_sandbox() -> None:
    facts = ask_engine(Answers())
    assert facts.name == "Docker rootless"
    with pytest.raises(SandboxUnavailable, match="does not keep a container's limits of memory, pids, cpu"):
        demand_limits(facts)
