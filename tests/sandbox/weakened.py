"""Sandboxes with one defence taken away each, so that an attack can be seen to win.

Nothing here is dangerous to the machine that runs the tests: what is opened up is the container's own, a stand-in, or a
larger but still moderate bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import socket
import stat
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import h11

from bailiwick.sandbox import PoolSettings, Request, Result, Sandbox, ScriptedSandbox, Spec
from bailiwick.sandbox.docker import DockerEngine, connect
from bailiwick.sandbox.docker.image import ensure_python_image
from bailiwick.sandbox.image import runner_folder
from bailiwick.sandbox.ownership import owner_labels
from bailiwick.sandbox.single_use import SingleUse

NOTHING_WAITS = PoolSettings(floor=0)
Change = Callable[[dict[str, Any], Path], None]
"""Changes the arguments a container is created with; the path is the attack's folder on the host."""
Weakening = Callable[[Path], contextlib.AbstractAsyncContextManager[Sandbox]]


class ChangedClient:
    """An engine's client that creates containers otherwise than it is told."""

    def __init__(self, client: Any, change: Callable[[dict[str, Any]], None]) -> None:
        self._client, self._change = client, change

    def create_container(self, **arguments: Any) -> Any:
        self._change(arguments)
        return self._client.create_container(**arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def changed(*changes: Change) -> Weakening:
    """Docker, with these changes to each container."""

    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[Sandbox]:
        def change(arguments: dict[str, Any]) -> None:
            for each in changes:
                each(arguments, folder)

        client: Any = ChangedClient(connect(), change)
        async with closing(SingleUse(DockerEngine(client), NOTHING_WAITS)) as sandbox:
            yield sandbox

    return opened


@asynccontextmanager
async def closing(sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    try:
        yield sandbox
    finally:
        await sandbox.close()


def host(**settings: Any) -> Change:
    """Other settings of the host's side."""
    return lambda arguments, _: arguments["host_config"].update(settings)


def as_root(*capabilities: str) -> Change:
    """Root's uid, with these capabilities."""

    def change(arguments: dict[str, Any], _: Path) -> None:
        arguments["user"] = "0:0"
        arguments["host_config"]["CapAdd"] = list(capabilities)

    return change


def without_seccomp(arguments: dict[str, Any], _: Path) -> None:
    options = arguments["host_config"]["SecurityOpt"]
    options[:] = ["seccomp=unconfined" if each.startswith("seccomp=") else each for each in options]


def with_new_privileges(arguments: dict[str, Any], _: Path) -> None:
    options = arguments["host_config"]["SecurityOpt"]
    options[:] = [each for each in options if not each.startswith("no-new-privileges")]


def tmp(before: str, after: str) -> Change:
    """/tmp with another option."""

    def change(arguments: dict[str, Any], _: Path) -> None:
        options = arguments["host_config"]["Tmpfs"]
        assert before in options["/tmp"]
        options["/tmp"] = ",".join(after if each.startswith(before) else each for each in options["/tmp"].split(","))

    return change


def mounted(source: Callable[[Path], Path], target: str | None = None, *, write: bool = False) -> Change:
    """One more mount; at the path it has on the host where no ``target`` is given."""

    def change(arguments: dict[str, Any], folder: Path) -> None:
        path = source(folder).resolve()
        mount = {"Type": "bind", "Source": str(path), "Target": target or str(path), "ReadOnly": not write}
        arguments["host_config"]["Mounts"].append(mount)

    return change


def writable(target: str) -> Change:
    """A read mount that can be written."""

    def change(arguments: dict[str, Any], _: Path) -> None:
        (mount,) = (each for each in arguments["host_config"]["Mounts"] if each["Target"] == target)
        mount["ReadOnly"] = False

    return change


def stand_in(name: str, text: str = "a stand-in", mode: int = 0o644) -> Callable[[Path], Path]:
    """A file beside the attack's folder."""

    def make(folder: Path) -> Path:
        file = folder.parent / f"stand-in-{name}"
        if not file.exists():
            file.write_text(text)
            file.chmod(mode)
        return file

    return make


def control_group(folder: Path) -> Path:
    """A folder that looks like a control group's, and is none."""
    group = folder.parent / "stand-in-cgroup"
    group.mkdir(exist_ok=True)
    group.chmod(0o777)
    (group / "release_agent").touch()
    (group / "release_agent").chmod(0o666)
    return group


def shared_tmp(arguments: dict[str, Any], folder: Path) -> None:
    """A /tmp that all containers share."""
    shared = folder.parent / "stand-in-tmp"
    shared.mkdir(exist_ok=True)
    shared.chmod(0o1777)
    del arguments["host_config"]["Tmpfs"]["/tmp"]
    mounted(lambda _: shared, "/tmp", write=True)(arguments, folder)


def runner(beginning: str) -> Change:
    """Our runner, in an interpreter in which this was run before."""
    weak = f"import os\n{beginning}\n{(runner_folder() / 'start.py').read_text()}"
    return mounted(stand_in("start.py", weak), "/bailiwick/start.py")


def leaking_runner(arguments: dict[str, Any], folder: Path) -> None:
    """A runner that closes nothing before the tool's code runs, and holds a folder of its own."""
    runner("os.open('/', os.O_RDONLY)\nos.closerange = lambda *_: None")(arguments, folder)


def runner_that_follows_links(arguments: dict[str, Any], folder: Path) -> None:
    """A runner for which a link is what it leads to."""
    stat_what_it_leads_to = "lambda path, *, dir_fd=None, follow_symlinks=True: stat(path, dir_fd=dir_fd)"
    runner(f"os.O_NOFOLLOW, stat = 0, os.stat\nos.stat = {stat_what_it_leads_to}")(arguments, folder)


def listening_to_the_environment(arguments: dict[str, Any], _: Path) -> None:
    """An interpreter that is not isolated, and a PYTHONPATH that tools can write to."""
    arguments["entrypoint"].remove("-I")
    arguments["environment"]["PYTHONPATH"] = "/work/data/write"


def networked(mode: str) -> Change:
    def change(arguments: dict[str, Any], _: Path) -> None:
        arguments["network_disabled"] = False
        arguments["host_config"]["NetworkMode"] = mode

    return change


@asynccontextmanager
async def with_an_engine(folder: Path) -> AsyncIterator[Sandbox]:
    """A socket like an engine's inside, with somebody who listens and answers nothing."""
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as engine:
        path = Path(short, "docker.sock")
        engine.bind(str(path))
        engine.listen()
        path.chmod(0o777)
        async with changed(mounted(lambda _: path, "/run/docker.sock"))(folder) as sandbox:
            yield sandbox


_INTERNET = """
import fcntl, socket, struct, threading
control = socket.socket()
def ask(request, name, address):
    fcntl.ioctl(control, request, struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address)))
nets = [("128.0.0.1", "128.0.0.0"), ("1.1.1.1", "255.0.0.0"), ("8.8.8.8", "255.0.0.0"), ("100.0.0.1", "255.0.0.0")]
for number, (address, mask) in enumerate(nets):  # on loopback a whole net is this machine's own
    ask(0x8916, b"lo:%d" % number, address)
    ask(0x891C, b"lo:%d" % number, mask)
servers = []
for port in (53, 80, 443):
    server = socket.socket()
    server.bind(("", port))
    server.listen(100)
    servers.append(server)
names = socket.socket(type=socket.SOCK_DGRAM)
names.bind(("", 53))
print("ready", flush=True)
while True:
    data, address = names.recvfrom(512)
    names.sendto(data, address)
"""


@contextmanager
def stand_in_internet() -> Iterator[str]:
    """A container in whose network every address is its own, and answers; gives its id."""
    client: Any = connect()
    image = ensure_python_image(client)
    settings = {"NetworkMode": "none", "CapAdd": ["NET_ADMIN"], "PidsLimit": 16, "Memory": 64 * 2**20}
    container = client.create_container(
        image=image.digest,
        entrypoint=[image.python, "-c", _INTERNET],
        command=[],
        labels=owner_labels("stand-in"),
        host_config=settings,
    )["Id"]
    try:
        client.start(container)
        until = time.monotonic() + 20
        while b"ready" not in client.logs(container):
            assert time.monotonic() < until, client.logs(container)
            time.sleep(0.05)
        yield container
    finally:
        client.remove_container(container, force=True, v=True)
        client.close()


@asynccontextmanager
async def in_a_stand_in_internet(folder: Path) -> AsyncIterator[Sandbox]:
    with stand_in_internet() as container:
        async with changed(networked(f"container:{container}"))(folder) as sandbox:
            yield sandbox


def any_port(visit: Any, endpoints: tuple[Any, ...]) -> tuple[Any, ...]:
    """Takes the policy's first host for whatever is asked for."""
    return (replace(endpoints[0], host=visit.host, port=visit.port),)


def anything(first: bytes, **_: Any) -> bool:
    """Lets a tunnel's first message pass, whatever it is."""
    return bool(first)


def as_it_came(request: Any, asked: Any) -> Any:
    """Passes a client's headers on to the server, its Host included."""
    return h11.Request(method=request.method, target=asked.target, headers=list(request.headers))


def patched(target: str, instead: Any) -> Weakening:
    """A sound sandbox, but for one function of the host's side."""

    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[Sandbox]:
        with mock.patch(target, instead):
            async with closing(SingleUse(DockerEngine(connect()), NOTHING_WAITS)) as sandbox:
                yield sandbox

    return opened


class Over:
    """A sandbox that passes everything on to another."""

    def __init__(self, inner: Sandbox, folder: Path) -> None:
        self.inner, self.folder = inner, folder

    @property
    def kind(self) -> str:
        return self.inner.kind

    def check(self, spec: Spec) -> None:
        self.inner.check(spec)

    async def run(self, spec: Spec, request: Request) -> Result:
        return await self.inner.run(spec, request)

    def prepare(self, spec: Spec, file: str) -> None:
        """Nothing waits here."""

    async def close(self) -> None:
        await self.inner.close()


def over(kind: type[Over]) -> Weakening:
    """A sound sandbox under a wrapper that is not."""

    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[Sandbox]:
        async with closing(kind(SingleUse(DockerEngine(connect()), NOTHING_WAITS), folder)) as sandbox:
            yield sandbox

    return opened


class Patient(Over):
    """Gives more time than was asked for."""

    async def run(self, spec: Spec, request: Request) -> Result:
        return await self.inner.run(spec, replace(request, time=request.time + 10))


class Listening(Over):
    """Takes back more output than was asked for."""

    async def run(self, spec: Spec, request: Request) -> Result:
        return await self.inner.run(spec, replace(request, output=4 * 2**20))


class FollowingLinks(Over):
    """Mounts what links lead to."""

    async def run(self, spec: Spec, request: Request) -> Result:
        followed = tuple(replace(mount, source=_resolved(mount.source)) for mount in spec.mounts)
        return await self.inner.run(replace(spec, mounts=followed), request)


def _resolved(path: Path) -> Path:
    while True:
        try:
            return path.resolve()
        except OSError:  # it was a link a moment ago
            continue


class Collecting(Over):
    """Reads whatever lies in a write mount once a call has ended; what never ends is waited for."""

    async def run(self, spec: Spec, request: Request) -> Result:
        result = await self.inner.run(spec, request)
        for mount in spec.mounts:
            for path in mount.source.iterdir() if mount.write else ():
                if path.exists() and (stat.S_ISCHR(path.stat().st_mode) or stat.S_ISFIFO(path.stat().st_mode)):
                    raise TimeoutError  # a reader would be here still
        return result


class Unpickling(Over):
    """Reads an answer that looks like a pickle as one."""

    async def run(self, spec: Spec, request: Request) -> Result:
        result = await self.inner.run(spec, request)
        if isinstance(result.value, str) and result.value.startswith("\x80"):
            pickle.loads(result.value.encode("latin-1"))
        return result


class SecretsInTheEnvironment(Over):
    """Hands every secret over in the container's environment, and forgets none."""

    def __init__(self, inner: Sandbox, folder: Path) -> None:
        super().__init__(inner, folder)
        self.secrets: dict[str, str] = {}

    async def run(self, spec: Spec, request: Request) -> Result:
        self.secrets |= request.secrets

        def change(arguments: dict[str, Any], _: Path) -> None:
            arguments["environment"] |= self.secrets

        async with changed(change)(self.folder) as sandbox:
            return await sandbox.run(spec, request)


def answering(**scripted: Result) -> Weakening:
    """No sandbox at all: the attack's call ends as its tool would like."""

    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[Sandbox]:
        yield ScriptedSandbox(scripted)

    return opened


@asynccontextmanager
async def with_a_daemon(folder: Path) -> AsyncIterator[Sandbox]:
    """No sandbox at all: what a call leaves runs on, here for as long as the test looks."""
    ended = threading.Event()
    beating: list[threading.Thread] = []

    def beat() -> None:
        while not ended.wait(0.02) and folder.exists():
            with contextlib.suppress(OSError), (folder / "write/heartbeat").open("a") as log:
                log.write("still here\n")

    def leave_a_daemon(file: str) -> str:
        beating.append(threading.Thread(target=beat))
        beating[0].start()
        time.sleep(0.1)
        return f"{file} is written to"

    try:
        yield ScriptedSandbox({"leave_a_daemon": leave_a_daemon})
    finally:
        ended.set()
        await asyncio.to_thread(beating[0].join)
