"""An engine that is stopped and started again under load: no call is lost, none is made twice, and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from bailiwick.errors import SandboxError
from bailiwick.sandbox import Mount, PoolSettings, Request, Spec, open_sandbox

TOOL = """
from bailiwick import tool
import time

@tool
def note(text: str) -> str:
    "Append to the book."
    time.sleep(0.02)
    with open("/work/book/calls", "a") as book:
        book.write(text + chr(10))
    return text
"""


class Engine:
    """A Docker Engine of the test's own, which may be stopped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = f"unix://{folder}/s"

    def start(self) -> None:
        at = self._folder
        command = ["dockerd", f"--data-root={at}/data", f"--exec-root={at}/exec", f"--pidfile={at}/pid"]
        with (at / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, f"-H={self.address}", "--bridge=none", "--iptables=false"], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as door:
                door.connect(str(at / "s"))
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"a second dockerd does not start: {(at / 'log').read_text()[-300:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    folder = Path(tempfile.mkdtemp(prefix="bw-"))
    found = Engine(folder)
    found.start()
    monkeypatch.setenv("DOCKER_HOST", found.address)
    yield found
    found.stop()
    gc.collect()  # docker-py leaves sockets open where no engine listens; the warnings are this test's
    mounts = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    for mount in sorted((each for each in mounts if each.startswith(f"{folder}/")), key=len, reverse=True):
        subprocess.run(["umount", "-l", mount], check=False)
    shutil.rmtree(folder)


@pytest.mark.docker
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # docker-py's, where no engine listens
async def test_an_engine_that_is_started_again_costs_no_call_and_doubles_none(engine: Engine, tmp_path: Path) -> None:
    file, book = tmp_path / "noted.py", tmp_path / "book"
    file.write_text(TOOL)
    book.mkdir()
    uid = os.getuid() or 65534
    os.chown(book, uid, uid if os.getuid() == 0 else os.getgid())
    mounts = (Mount(source=file, target="/tool/noted.py"), Mount(source=book, target="/work/book", write=True))
    spec = Spec(image="python", mounts=mounts, uid=uid)
    ends: dict[str, str] = {}
    stopped = asyncio.Event()
    sandbox = await open_sandbox("docker", pool=PoolSettings(floor=2))

    async def call_on(caller: int) -> None:
        number = 0
        while not stopped.is_set():
            text = f"{caller}-{number}"
            number += 1
            try:
                result = await sandbox.run(spec, Request(file="/tool/noted.py", function="note", args={"text": text}))
                ends[text] = result.cause
            except SandboxError:
                ends[text] = "refused"

    callers = [asyncio.create_task(call_on(n)) for n in range(3)]
    await asyncio.sleep(3)
    await asyncio.to_thread(engine.stop)
    await asyncio.to_thread(engine.start)
    again = len(ends)
    await asyncio.sleep(5)
    stopped.set()
    await asyncio.gather(*callers)
    assert [end for end in list(ends.values())[again:] if end == "ok"]
    assert (
        await sandbox.run(spec, Request(file="/tool/noted.py", function="note", args={"text": "last"}))
    ).cause == "ok"
    await sandbox.close()

    noted = (book / "calls").read_text().split()
    assert len(noted) == len(set(noted))  # none was made twice
    told = {text for text, end in ends.items() if end == "ok"} | {"last"}
    assert told <= set(noted)  # what is told to be done is done
    unknown = {text for text, end in ends.items() if end not in ("ok", "refused")}
    assert set(noted) - told <= unknown  # what is told to have not begun, has not
    with contextlib.closing(docker.DockerClient(engine.address)) as client:
        # One whose making the engine never answered for is its labels' to find, at the next opening; nothing runs.
        assert client.containers.list() == []
