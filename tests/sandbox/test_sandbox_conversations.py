"""``isolation: thread``: files stay within a conversation, processes and secrets within a call."""

from __future__ import annotations

import asyncio

import pytest
from sandbox.conftest import ToolProject

from bailiwick.sandbox import Request, Result, Sandbox, inside_path

TOOL = """
import os, subprocess, sys, time
from pathlib import Path

@tool
def remember(word: str) -> str:
    "Keep a word."
    Path("/tmp/word").write_text(word)
    globals()["WORD"] = word
    os.environ["WORD"] = word
    subprocess.Popen([sys.executable, "-I", "-c", "import time; time.sleep(60)"])
    return word

@tool
def recall() -> dict:
    "What is there of earlier calls."
    word = Path("/tmp/word")
    processes = [name for name in os.listdir("/proc") if name.isdigit()]
    return {
        "file": word.read_text() if word.exists() else None,
        "memory": globals().get("WORD"),
        "environment": os.environ.get("WORD"),
        "processes": len(processes),
    }

@tool
def hang() -> None:
    "Never end."
    time.sleep(60)
"""


@pytest.fixture
def call(sandbox: Sandbox, project: ToolProject):
    """Calls a function of one file, in a conversation; without ``thread``, in none."""
    file = project.write(TOOL)
    spec = project.spec(file, isolation="thread")

    async def call(function: str, thread: str = "", time: float = 5.0, **args: str) -> Result:
        asked = Request(file=inside_path(file), function=function, args=args, thread=thread, time=time)
        return await sandbox.run(spec, asked)

    return call


async def test_files_stay_and_nothing_else_does(call) -> None:
    first = await call("remember", "a", word="amber")
    again = await call("recall", "a")
    assert first.container == again.container
    assert again.value == {"file": "amber", "memory": None, "environment": None, "processes": 2}


async def test_another_conversation_finds_nothing(call) -> None:
    first = await call("remember", "b", word="amber")
    other, nobody = await call("recall", "c"), await call("recall")
    assert len({first.container, other.container, nobody.container}) == 3
    assert other.value["file"] is nobody.value["file"] is None


async def test_conversations_at_once_keep_apart(call) -> None:
    async def converse(name: str) -> list[str]:
        await call("remember", name, word=name)
        return [each.value["file"] for each in await asyncio.gather(*(call("recall", name) for _ in range(3)))]

    names = [f"thread {n}" for n in range(4)]
    assert await asyncio.gather(*map(converse, names)) == [[name] * 3 for name in names]


async def test_a_call_that_ran_out_of_time_takes_the_container_with_it(call) -> None:
    first = await call("remember", "d", word="amber")
    assert (await call("hang", "d", time=0.5)).cause == "timeout"
    again = await call("recall", "d")
    assert again.container != first.container
    assert again.value["file"] is None


@pytest.mark.parametrize("isolation", ["call", "thread"])
async def test_files_that_a_call_leaves_are_taken_back_within_bounds(
    sandbox: Sandbox, project: ToolProject, isolation: str
) -> None:
    source = """
    import os
    from bailiwick import output

    @tool
    def report(pages: int) -> str:
        "Write pages, and what is no page."
        folder = output()
        for number in range(pages):
            (folder / f"page-{number}.txt").write_text(str(number) * 10)
        (folder / "inner").mkdir()
        (folder / "inner" / "leaf.bin").write_bytes(bytes(range(256)))
        (folder / "passwd").symlink_to("/etc/passwd")
        os.link("/tmp/output/page-0.txt", "/tmp/output/zz-hard")
        return "written"
    """
    asked = {"args": {"pages": 3}, "files": 4, "file_bytes": 1000, "thread": "files"}
    for _ in range(2):
        result = await project.call(sandbox, source, "report", policy={"isolation": isolation}, **asked)
        assert {each.name: len(each.data) for each in result.files} == {
            "inner/leaf.bin": 256,
            "page-0.txt": 10,
            "page-1.txt": 10,
            "page-2.txt": 10,
        }
        assert result.files_left_out == ("passwd: neither a file nor a folder", "zz-hard: more than 4 files")
    bounded = await project.call(
        sandbox, source, "report", policy={"isolation": isolation}, **asked | {"file_bytes": 30}
    )
    assert "inner/leaf.bin: more than 30 bytes together" in bounded.files_left_out
    assert sum(len(each.data) for each in bounded.files) <= 30
