"""Containers that wait: taken once, by one caller; replaced; no call is lost or doubled over one that has gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import docker
import psutil
import pytest
from sandbox.sandbox_kinds import KINDS

from bailiwick.errors import ConfigError, PoolExhausted, SandboxFailed
from bailiwick.sandbox import Mount, PoolSettings, Request, Sandbox, Spec, open_sandbox

TOOL = """
import os, time
from bailiwick import tool

IMPORTED = time.monotonic()

@tool
def note(text: str) -> str:
    "Append to the book."
    with open("/work/book/calls", "a") as book:
        book.write(text + chr(10))
    return text

@tool
def hold(seconds: float) -> str:
    "Wait."
    time.sleep(seconds)
    return "held"

@tool
def age() -> float:
    "Seconds since this file was imported."
    return time.monotonic() - IMPORTED
"""


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    file, book = tmp_path / "pooled.py", tmp_path / "book"
    file.write_text(TOOL)
    book.mkdir()
    uid = os.getuid() or 65534
    os.chown(book, uid, uid if os.getuid() == 0 else os.getgid())
    mounts = (Mount(source=file, target="/tool/pooled.py"), Mount(source=book, target="/work/book", write=True))
    return Spec(image="python", mounts=mounts, uid=uid)


def ask(function: str, **args: object) -> Request:
    return Request(file="/tool/pooled.py", function=function, args=args, time=20)


@pytest.fixture(params=KINDS)
async def pooled(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    opened = await open_sandbox(request.param, pool=PoolSettings(floor=2, most=6, wait=20))
    yield opened
    await opened.close()


def ours(kind: str, spec: Spec) -> list[str]:
    """The containers of this process that have the spec's tool mounted: ids, or pids."""
    source = str(spec.mounts[0].source)
    if kind == "docker":
        with closing(docker.from_env()) as client:
            found = client.containers.list(filters={"label": f"bailiwick.owner.pid={os.getpid()}"}, ignore_removed=True)
            return [each.id for each in found if any(m.get("Source") == source for m in each.attrs["Mounts"])]
    found: list[str] = []
    for outer in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # gone meanwhile
            if source in outer.cmdline():
                found += [str(inner.pid) for inner in outer.children() if inner.status() != psutil.STATUS_ZOMBIE]
    return found


async def until_waiting(kind: str, spec: Spec, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(await asyncio.to_thread(ours, kind, spec)) != count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.7)  # started is not yet ready


async def test_a_call_takes_a_container_that_waits_with_its_tool_imported(pooled: Sandbox, spec: Spec) -> None:
    pooled.prepare(spec, "/tool/pooled.py")
    await until_waiting(pooled.kind, spec, 2)
    result = await pooled.run(spec, ask("age"))
    assert result.waited
    assert result.value > 0.3
    assert result.evidence.startswith("sha256:")


async def test_no_container_serves_twice_however_many_take_at_once(pooled: Sandbox, spec: Spec) -> None:
    results = await asyncio.gather(*(pooled.run(spec, ask("note", text=f"call {n}")) for n in range(24)))
    assert [each.value for each in results] == [f"call {n}" for n in range(24)]
    assert len({each.container for each in results}) == 24
    book = (spec.mounts[1].source / "calls").read_text().splitlines()
    assert sorted(book) == sorted(f"call {n}" for n in range(24))


async def test_containers_that_were_killed_while_they_waited_cost_no_call_and_double_none(
    pooled: Sandbox, spec: Spec
) -> None:
    pooled.prepare(spec, "/tool/pooled.py")
    for n in range(4):
        await until_waiting(pooled.kind, spec, 2)
        for each in ours(pooled.kind, spec):
            if pooled.kind == "docker":
                with closing(docker.from_env()) as client:
                    client.api.kill(each)
            else:
                os.kill(int(each), signal.SIGKILL)
        await asyncio.sleep(0.05)  # a call that is sent in the very moment of the kill is ``killed``: nobody can know
        assert (await pooled.run(spec, ask("note", text=f"call {n}"))).value == f"call {n}"
    assert (spec.mounts[1].source / "calls").read_text().splitlines() == [f"call {n}" for n in range(4)]


async def test_a_tool_that_was_edited_is_not_served_from_what_was_imported_before(pooled: Sandbox, spec: Spec) -> None:
    pooled.prepare(spec, "/tool/pooled.py")
    await until_waiting(pooled.kind, spec, 2)
    file = spec.mounts[0].source
    file.write_text(TOOL.replace('return "held"', 'return "held anew"'))
    assert (await pooled.run(spec, ask("hold", seconds=0))).value == "held anew"


async def test_a_drained_pool_waits_and_then_says_what_to_raise(pooled: Sandbox, spec: Spec) -> None:
    opened = await open_sandbox(pooled.kind, pool=PoolSettings(floor=0, most=2, wait=1.5))  # type: ignore[arg-type]
    held = [asyncio.create_task(opened.run(spec, ask("hold", seconds=6))) for _ in range(2)]
    await until_waiting(pooled.kind, spec, 2)
    with pytest.raises(PoolExhausted, match="BAILIWICK_POOL_MOST"):
        await opened.run(spec, ask("note", text="too many"))
    assert [(await each).value for each in held] == ["held", "held"]
    assert (await opened.run(spec, ask("note", text="room again"))).value == "room again"
    await opened.close()


async def test_a_tool_whose_import_needs_a_secret_is_imported_in_the_call(pooled: Sandbox, spec: Spec) -> None:
    file = spec.mounts[0].source
    file.write_text(
        'from bailiwick import secret, tool\nKEY = secret("KEY")\n@tool\ndef key() -> str:\n "K."\n return KEY\n'
    )
    for n in range(3):
        asked = Request(file="/tool/pooled.py", function="key", secrets={"KEY": f"k{n}"})
        assert (await pooled.run(spec, asked)).value == f"k{n}"


async def test_closing_ends_what_waits(pooled: Sandbox, spec: Spec) -> None:
    opened = await open_sandbox(pooled.kind, pool=PoolSettings(floor=3))  # type: ignore[arg-type]
    opened.prepare(spec, "/tool/pooled.py")
    await asyncio.sleep(0.3)  # some are still being started
    await opened.close()
    assert ours(pooled.kind, spec) == []
    with pytest.raises(SandboxFailed, match="closed"):
        await opened.run(spec, ask("age"))


def test_a_setting_that_is_no_number_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAILIWICK_POOL_MOST", "many")
    with pytest.raises(ConfigError, match="BAILIWICK_POOL_MOST='many'"):
        PoolSettings.from_environment()
    monkeypatch.setenv("BAILIWICK_POOL_MOST", "7")
    assert PoolSettings.from_environment() == PoolSettings(most=7)
