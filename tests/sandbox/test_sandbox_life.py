"""What is left after a call: nothing. And what becomes of a call whose container or host is taken away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import docker
import psutil
import pytest

from bailiwick.sandbox import Mount, Request, Sandbox, Spec, open_sandbox
from bailiwick.sandbox.contract.attacks import HOSTILE

EXHAUST, REACH = HOSTILE / "exhaust.py", HOSTILE / "reach.py"


def spec_for(file: Path, *mounts: Mount) -> Spec:
    uid = os.getuid() if os.getuid() and mounts else 65534
    return Spec(image="python", mounts=(Mount(source=file, target=f"/tool/{file.name}"), *mounts), uid=uid)


def ask(file: Path, function: str, **more) -> Request:
    return Request(file=f"/tool/{file.name}", function=function, **more)


def until(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


@pytest.fixture
def shared(project) -> Mount:
    return Mount(source=project.folder("out"), target="/work/out", write=True)


async def test_a_daemon_does_not_outlive_the_reply(sandbox: Sandbox, shared: Mount) -> None:
    spec = spec_for(EXHAUST, shared)
    result = await sandbox.run(spec, ask(EXHAUST, "leave_a_daemon", args={"file": "/work/out/log"}))
    assert (result.cause, result.value) == ("ok", "answered")
    log = shared.source / "log"
    size = log.stat().st_size
    assert size > 0
    await asyncio.sleep(0.3)
    assert log.stat().st_size == size


async def test_a_call_finds_nothing_of_the_call_before_it(sandbox: Sandbox) -> None:
    spec = spec_for(REACH)
    left = await sandbox.run(spec, ask(REACH, "leave_state"))
    assert left.value == ["left", "sitecustomize.py"]
    found = (await sandbox.run(spec, ask(REACH, "show_surroundings"))).value
    assert found["tmp"] == []
    assert "LEFT" not in found["environment"]


async def test_nothing_of_the_hosts_environment_reaches_the_interpreter(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "BASH_ENV"):
        monkeypatch.setenv(name, "/nowhere/injected")
    found = (await sandbox.run(spec_for(REACH), ask(REACH, "show_surroundings"))).value
    assert "injected" not in json.dumps(found)


async def test_a_secret_shows_nowhere_but_in_the_call(sandbox: Sandbox, shared: Mount) -> None:
    spec = spec_for(REACH, shared)
    asked = ask(REACH, "find_the_secret", args={"name": "TOKEN"}, secrets={"TOKEN": "s3cret-v4lue"})
    result = await sandbox.run(spec, asked)
    assert result.value == {"length": 12, "seen": []}
    assert "s3cret-v4lue" not in repr(asked)


async def test_a_secret_shows_in_no_process_or_container_of_the_host(sandbox: Sandbox, shared: Mount) -> None:
    asked = ask(EXHAUST, "sleep", args={"seconds": 30, "file": "/work/out/mark"}, secrets={"TOKEN": "s3cret-v4lue"})
    call = asyncio.create_task(sandbox.run(spec_for(EXHAUST, shared), asked))
    try:
        await asyncio.to_thread(until, (shared.source / "mark").exists)
        for process in psutil.process_iter():
            try:
                told = " ".join(process.cmdline()) + json.dumps(process.environ())
            except psutil.Error:
                continue
            assert "s3cret-v4lue" not in told, process
        if sandbox.kind == "docker":
            client = docker.from_env()
            for container in client.containers.list(filters={"label": f"bailiwick.owner.pid={os.getpid()}"}):
                assert "s3cret-v4lue" not in json.dumps(client.api.inspect_container(container.id))
            client.close()
    finally:
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)


def signal_the_runner(kind: str, number: int, shared: Mount) -> None:
    """From outside, as an operator or the kernel would: the one that has ``shared`` mounted."""
    if kind == "docker":
        with closing(docker.from_env()) as client:
            for container in client.containers.list(filters={"label": f"bailiwick.owner.pid={os.getpid()}"}):
                told = client.api.inspect_container(container.id)
                if any(each["Source"] == str(shared.source) for each in told["Mounts"]):
                    os.kill(told["State"]["Pid"], number)
    else:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):  # gone meanwhile
                outer = process.parent()
                if process.cmdline()[:1] == ["/usr/local/bin/python3"] and str(shared.source) in outer.cmdline():
                    process.send_signal(number)


async def test_a_runner_that_does_not_answer_is_given_up_and_killed(unpooled: Sandbox, shared: Mount) -> None:
    asked = ask(EXHAUST, "sleep", args={"seconds": 30, "file": "/work/out/mark"}, time=1.0)
    begun = time.monotonic()
    call = asyncio.create_task(unpooled.run(spec_for(EXHAUST, shared), asked))
    await asyncio.to_thread(until, (shared.source / "mark").exists)
    await asyncio.to_thread(signal_the_runner, unpooled.kind, signal.SIGSTOP, shared)
    result = await asyncio.wait_for(call, 10)
    assert result.cause == "timeout"
    assert 3 < time.monotonic() - begun < 8
    await asyncio.to_thread(until, lambda: not running(unpooled.kind, os.getpid(), shared))


async def test_a_container_killed_in_the_middle_of_a_call_is_a_result(unpooled: Sandbox, shared: Mount) -> None:
    asked = ask(EXHAUST, "sleep", args={"seconds": 30, "file": "/work/out/mark"}, time=40)
    call = asyncio.create_task(unpooled.run(spec_for(EXHAUST, shared), asked))
    await asyncio.to_thread(until, (shared.source / "mark").exists)
    await asyncio.to_thread(signal_the_runner, unpooled.kind, signal.SIGKILL, shared)
    result = await asyncio.wait_for(call, 10)
    assert result.cause == "killed"
    assert result.sandbox == unpooled.kind
    again = await unpooled.run(spec_for(EXHAUST, shared), ask(EXHAUST, "sleep", args={"seconds": 0}))
    assert again.value == "slept"


async def test_a_cancelled_call_leaves_nothing_running(unpooled: Sandbox, shared: Mount) -> None:
    slow = ask(EXHAUST, "sleep", args={"seconds": 30, "file": "/work/out/mark"}, time=40)
    call = asyncio.create_task(unpooled.run(spec_for(EXHAUST, shared), slow))
    await asyncio.to_thread(until, (shared.source / "mark").exists)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.to_thread(until, lambda: not running(unpooled.kind, os.getpid(), shared))


def running(kind: str, owner: int, shared: Mount) -> list[str]:
    """Which of ``owner``'s containers run that have ``shared`` mounted."""
    source = str(shared.source)
    if kind == "docker":
        client = docker.from_env()
        try:
            found = client.containers.list(filters={"label": f"bailiwick.owner.pid={owner}"}, ignore_removed=True)
            return [each.id for each in found if any(m.get("Source") == source for m in each.attrs["Mounts"])]
        finally:
            client.close()
    try:
        children = psutil.Process(owner).children(recursive=True)
        return [str(child.pid) for child in children if source in child.parent().cmdline()]
    except psutil.Error:
        return []


HOST = """
import asyncio, sys
from pathlib import Path
from bailiwick.sandbox import Mount, Request, Spec, open_sandbox

async def main(kind, file, out, uid):
    sandbox = await open_sandbox(kind)
    tool = Mount(source=Path(file), target="/tool/exhaust.py")
    shared = Mount(source=Path(out), target="/work/out", write=True)
    spec = Spec(image="python", mounts=(tool, shared), uid=int(uid))
    await sandbox.run(spec, Request(file="/tool/exhaust.py", function="sleep", time=100,
                                    args={"seconds": 90, "file": "/work/out/mark"}))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_host_that_is_killed_leaves_nothing_running_and_the_next_start_cleans_up(
    sandbox: Sandbox, shared: Mount
) -> None:
    uid = str(os.getuid() or 65534)
    host = subprocess.Popen([sys.executable, "-c", HOST, sandbox.kind, str(EXHAUST), str(shared.source), uid])
    try:
        await asyncio.to_thread(until, (shared.source / "mark").exists, 30)
        inside = running(sandbox.kind, host.pid, shared)
        assert inside
    finally:
        host.send_signal(signal.SIGKILL)
        host.wait()
    if sandbox.kind == "docker":
        await asyncio.to_thread(until, lambda: not running("docker", host.pid, shared))
        again = await open_sandbox("docker")
        await again.close()
        client = docker.from_env()
        left = client.containers.list(all=True, filters={"label": f"bailiwick.owner.pid={host.pid}"})
        client.close()
        assert left == []
    else:
        await asyncio.to_thread(until, lambda: not any(psutil.pid_exists(int(pid)) for pid in inside))


async def test_closing_removes_what_was_started_and_may_be_done_twice(sandbox: Sandbox) -> None:
    opened = await open_sandbox("docker" if sandbox.kind == "docker" else "bubblewrap")
    result = await opened.run(spec_for(EXHAUST), ask(EXHAUST, "sleep", args={"seconds": 0}))
    await opened.close()
    await opened.close()
    if sandbox.kind == "docker":
        client = docker.from_env()
        with pytest.raises(docker.errors.NotFound):
            client.api.inspect_container(result.container)
        client.close()
    else:
        assert not psutil.pid_exists(int(result.container.removeprefix("bwrap-")))
        groups = Path("/sys/fs/cgroup").glob(f"*/bailiwick/{os.getpid()}-*")  # others of this process still wait
        assert [group for group in groups if not (group / "cgroup.procs").read_text()] == []


async def test_a_mount_that_became_a_link_is_refused(sandbox: Sandbox, project) -> None:
    from bailiwick.errors import SandboxRefused

    data = project.folder("data/out")
    source = "@tool\ndef look() -> list:\n    '''Look.'''\n    import os\n    return os.listdir('/work/data/out')\n"
    file = project.write(source)
    spec = project.spec(file, files={"read": ["data/out"]})
    data.rmdir()
    data.symlink_to("/etc")
    with pytest.raises(SandboxRefused, match="has become a link, to /etc"):
        await sandbox.run(spec, Request(file="/tool/shop.py", function="look"))


@pytest.mark.bubblewrap
async def test_a_half_made_container_of_a_killed_host_is_ended_at_the_next_start() -> None:
    told, say = os.pipe()
    os.set_blocking(say, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(say, b" " * 4096)
    os.set_blocking(say, True)
    # bubblewrap cannot say who its first process is, and so keeps it waiting. There it is killed.
    command = ["bwrap", "--unshare-pid", "--die-with-parent", "--info-fd", str(say), "--ro-bind", "/", "/"]
    monitor = subprocess.Popen([*command, "true", "/bailiwick/start.py"], pass_fds=(say,))
    await asyncio.to_thread(until, lambda: psutil.Process(monitor.pid).children())
    (half_made,) = psutil.Process(monitor.pid).children()
    monitor.kill()
    monitor.wait()
    os.close(told)
    os.close(say)
    assert half_made.is_running()
    await (await open_sandbox("bubblewrap")).close()
    await asyncio.to_thread(until, lambda: not half_made.is_running())


@pytest.mark.docker
async def test_an_image_that_was_removed_meanwhile_is_made_anew() -> None:
    opened = await open_sandbox("docker")
    asked = ask(EXHAUST, "sleep", args={"seconds": 0})
    first = await opened.run(spec_for(EXHAUST), asked)
    with closing(docker.from_env()) as client:

        def removed() -> bool:  # once no container has it any more
            with contextlib.suppress(docker.errors.APIError):
                for waiting in client.containers.list(filters={"label": f"bailiwick.owner.pid={os.getpid()}"}):
                    waiting.remove(force=True)
                client.images.remove(first.image_digest)
            return not [image for image in client.images.list() if image.id == first.image_digest]

        await asyncio.to_thread(until, removed)
    assert (await opened.run(spec_for(EXHAUST), asked)).value == "slept"
    await opened.close()
