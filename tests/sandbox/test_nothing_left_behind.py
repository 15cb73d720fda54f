"""A host killed with SIGKILL leaves nothing, once a sandbox was opened again; and nothing of anybody else's goes."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest

from bailiwick.sandbox.contract.attacks import HOSTILE
from bailiwick.sandbox.ownership import MARK, machine

KILLS = int(os.environ.get("BAILIWICK_TEST_KILLS", "25"))
"""For each kind of sandbox."""
WITHIN = 10.0
"""Seconds after which nothing of a dead host may be left, once another has opened a sandbox."""
HOST = Path(__file__).with_name("host_under_load.py")


def until(condition: Callable[[], object], told: Callable[[], object] = lambda: "", seconds: float = WITHIN) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come to be: {told()}"
        time.sleep(0.05)


@dataclass(kw_only=True)
class Host:
    """A host program, and what a process, container or mount of its sandbox can be known by."""

    process: subprocess.Popen[str]
    token: str
    containers: set[str] = field(default_factory=set)

    def hears(self, word: str) -> None:
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) != f"{word}\n":
            assert line, f"the host ended with {self.process.wait()}"

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@dataclass(kw_only=True)
class Place:
    """Folders of our own, so that nothing that other programs leave is taken for ours."""

    kind: str
    root: Path
    seed: int
    count: int = 0

    @property
    def runtime(self) -> Path:
        return self.root / "run" / "bailiwick"

    def start(self, does: str) -> Host:
        self.count += 1
        token = f"left-{secrets.token_hex(4)}-{self.count}"
        out = self.root / token
        out.mkdir()
        if os.getuid() == 0:
            os.chown(out, 65534, 65534)
        environment = {
            **os.environ,
            "TMPDIR": str(self.root / "tmp"),
            "XDG_RUNTIME_DIR": str(self.root / "run"),
            "HOST_KIND": self.kind,
            "HOST_DOES": does,
            "HOST_TOOL": str(HOSTILE / "exhaust.py"),
            "HOST_OUT": str(out),
            "HOST_SEED": f"{self.seed}-{self.count}",
        }
        process = subprocess.Popen(
            [sys.executable, str(HOST)], env=environment, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
        )
        return Host(process=process, token=token)

    def left_of(self, host: Host) -> list[str]:
        """Everything of a dead host's that is still there, in words."""
        pid = host.process.pid
        names = {host.token, *host.containers}
        left = [f"process {each}" for each in processes_that_name(names)]
        left += [f"folder {each}" for each in self.runtime.glob(f"{pid}-*")]
        groups = Path("/sys/fs/cgroup")
        patterns = [f"bailiwick/{pid}-*", *(f"docker/{each}" for each in host.containers)]
        left += [f"cgroup {each}" for one in patterns for where in ("", "*/") for each in groups.glob(where + one)]
        if self.kind == "docker":
            left += [f"container {each}" for each in containers_of(pid)]
        return left


def processes_that_name(names: set[str]) -> list[str]:
    """Processes with one of ``names`` in an argument, or in the source of a mount that they see."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (folder / "cmdline").read_bytes() + (folder / "mountinfo").read_bytes()
            if any(name.encode() in told for name in names):
                found.append(f"{folder.name}: {(folder / 'cmdline').read_bytes()[:200]!r}")
    return found


def containers_of(pid: int) -> list[str]:
    with closing(docker.APIClient(version="auto")) as client:
        found = client.containers(all=True, filters={"label": [f"bailiwick.owner.pid={pid}", f"{MARK}={machine()}"]})
        return [str(each["Id"]) for each in found]


@pytest.fixture
def place(sandbox_kind: str) -> Iterator[Place]:
    seed = int(os.environ.get("BAILIWICK_TEST_SEED") or secrets.randbelow(2**32))
    print(f"BAILIWICK_TEST_SEED={seed}")
    root = Path(tempfile.mkdtemp(prefix="bw-"))  # short: the path of a socket has 107 bytes
    root.chmod(0o711)
    (root / "tmp").mkdir()
    (root / "run").mkdir(mode=0o700)
    yield Place(kind=sandbox_kind, root=root, seed=seed)
    shutil.rmtree(root)


@pytest.fixture
def others(place: Place) -> Iterator[list[Callable[[], bool]]]:
    """What is not ours, or is a living host's; each as the question whether it is untouched."""
    with contextlib.ExitStack() as stack:
        alive = place.start("wait")
        stack.callback(alive.end)
        alive.hears("open")
        mark = place.root / alive.token / "mark"
        until(mark.exists, seconds=30)
        inside = [psutil.Process(int(each.partition(":")[0])) for each in processes_that_name({alive.token})]
        assert inside
        untouched: list[Callable[[], bool]] = [each.is_running for each in inside]
        untouched += [*folders_of_others(place)]
        if place.kind == "docker":
            untouched += stack.enter_context(containers_of_others())
        else:
            command = ["bwrap", "--unshare-pid", "--die-with-parent", "--ro-bind", "/", "/", "sleep", "500"]
            unrelated = subprocess.Popen(command)
            stack.callback(unrelated.wait)
            stack.callback(unrelated.kill)
            untouched.append(lambda: unrelated.poll() is None)
        yield untouched


def folders_of_others(place: Place) -> Iterator[Callable[[], bool]]:
    place.runtime.mkdir(mode=0o700, exist_ok=True)
    notes, outside = place.runtime / "notes", place.root / "outside"
    notes.mkdir()
    outside.mkdir()
    (outside / "kept").touch()
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    (place.runtime / f"4194305-1-{namespace}").symlink_to(outside)  # named as if a dead process had made it
    (place.runtime / f"4194305-1-{namespace + 1}").mkdir()  # of a process that cannot be asked after
    yield notes.is_dir
    yield (outside / "kept").is_file
    yield (place.runtime / f"4194305-1-{namespace + 1}").is_dir


@contextlib.contextmanager
def containers_of_others() -> Iterator[list[Callable[[], bool]]]:
    """One that nobody marked, two of another machine, and a volume. One that another machine left is removed."""
    dead = {"bailiwick.boot": "x", "bailiwick.owner.pid": "4194305", "bailiwick.owner.started": "1"}
    long_ago, later = {"bailiwick.expires": "1"}, {"bailiwick.expires": str(int(time.time()) + 9999)}
    elsewhere = {MARK: "elsewhere/pid:[1]", **dead}
    with closing(docker.APIClient(version="auto")) as client, contextlib.ExitStack() as stack:
        image = next(each["Id"] for each in client.images(name="bailiwick/python"))
        volume = client.create_volume()["Name"]
        stack.callback(client.remove_volume, volume)

        def make(labels: dict[str, str], *, start: bool) -> Any:
            command = ["/usr/local/bin/python3", "-c", "import time; time.sleep(500)"]
            made = client.create_container(image, entrypoint=command, labels=labels, network_disabled=True)["Id"]
            stack.callback(client.remove_container, made, force=True)
            if start:
                client.start(made)
            return made

        kept = [
            make({}, start=True),
            make({}, start=False),
            make({**elsewhere, **long_ago}, start=True),
            make({**elsewhere, **later}, start=False),
        ]

        def same() -> bool:
            states = [client.inspect_container(each)["State"]["Status"] for each in kept]
            return states == ["running", "created", "running", "created"] and bool(client.inspect_volume(volume))

        yield [same]


@pytest.mark.usefixtures("no_real_model")
def test_hosts_killed_at_any_moment_leave_nothing_and_nobody_elses_is_touched(
    place: Place, others: list[Callable[[], bool]]
) -> None:
    chance = random.Random(place.seed)
    dead: list[Host] = []
    caught = 0
    """Hosts that had processes or containers when they were killed."""

    def left() -> list[str]:
        return [each for host in dead for each in place.left_of(host)]

    for _ in range(KILLS):
        host = place.start("load")
        try:
            if chance.random() < 0.2:
                time.sleep(chance.uniform(0.3, 1.0))  # while it opens
            else:
                host.hears("open")
                until(lambda: not left(), left)
                dead.clear()
                time.sleep(chance.expovariate(2.5))  # in the middle of calls
            if place.kind == "docker":
                host.containers.update(containers_of(host.process.pid))
            caught += bool(place.left_of(host))
        finally:
            host.end()
        dead.append(host)

    last = place.start("open")
    assert last.process.wait(30) == 0
    last.end()
    until(lambda: not left(), left)
    assert [each() for each in others] == [True] * len(others)
    assert caught > KILLS / 3, "the hosts were killed before they had anything to leave"
    assert not [*(place.root / "tmp").iterdir()]
    if place.kind == "docker":
        with closing(docker.APIClient(version="auto")) as client:
            assert not client.networks(filters={"label": MARK})
            assert not client.volumes(filters={"label": MARK})["Volumes"]
