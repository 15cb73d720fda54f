"""Attacks that leave something: a process, code or state for the next call, traps for the host.

Each needs a second look, by another call or from the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from pathlib import Path

from bailiwick.errors import SandboxFailed, SandboxRefused
from bailiwick.sandbox.contract.attack import WRITE, Attack, Scene
from bailiwick.sandbox.contract.judges import answered
from bailiwick.sandbox.mounts import NOBODY, unwritable
from bailiwick.sandbox.spec import Mount, Spec

__all__ = ["LEAVING"]

_SWAPPED = 4.0
"""Seconds for which a folder and a link are exchanged while others mount it."""
_SOON, _WHILE = 0.3, 0.4
"""Seconds until a container whose call has been answered must have ended, and while it is watched after that."""


async def _daemon(scene: Scene) -> str:
    return await _no_heartbeat(scene, scene.spec("exhaust.py", scene.write_mount()))


async def _daemon_of_a_conversation(scene: Scene) -> str:
    return await _no_heartbeat(scene, scene.spec("exhaust.py", scene.write_mount(), isolation="thread"), thread="one")


async def _no_heartbeat(scene: Scene, spec: Spec, *, thread: str = "") -> str:
    log = scene.folder / "write/heartbeat"
    result = await scene.call("exhaust.py", "leave_a_daemon", {"file": f"{WRITE}/heartbeat"}, spec=spec, thread=thread)
    if wrong := answered(result):
        return wrong
    if not log.exists():
        return "the daemon never ran, so that nothing was tried"
    await asyncio.sleep(_SOON)
    before = log.stat().st_size
    await asyncio.sleep(_WHILE)
    return "" if log.stat().st_size == before else "a process of the tool's runs on after the answer"


async def _code(scene: Scene) -> str:
    spec = scene.spec("leave.py", scene.write_mount())
    if wrong := answered(await scene.call("leave.py", "plant_code", spec=spec)):
        return wrong
    result = await scene.call("leave.py", "look_for_planted_code", spec=spec)
    if wrong := answered(result):
        return f"the next call was broken: {wrong}"
    told = result.value
    if told["ran"] or told["module"]:
        return f"planted code was run by the next call: {told}"
    if told["environment"] != ["PYTHONDONTWRITEBYTECODE"] or told["preload"] or set(told["path"]) - {"/site"}:
        return f"the next call would run planted code: {told}"
    return ""


async def _state(scene: Scene) -> str:
    spec, word = scene.spec("leave.py"), f"left-{secrets.token_hex(8)}"
    left = await scene.call("leave.py", "leave_state", {"word": word}, spec=spec)
    if wrong := answered(left):
        return wrong
    found = await scene.call("leave.py", "find_state", {"word": word}, spec=spec)
    return answered(found) or (f"the next call found what was left in {found.value}" if found.value else "")


async def _another_conversation(scene: Scene) -> str:
    spec, word = scene.spec("leave.py", isolation="thread"), f"left-{secrets.token_hex(8)}"
    left = await scene.call("leave.py", "leave_state", {"word": word}, spec=spec, thread="one")
    if wrong := answered(left):
        return wrong
    found = await scene.call("leave.py", "find_state", {"word": word}, spec=spec, thread="another")
    return answered(found) or (f"another conversation found what was left in {found.value}" if found.value else "")


async def _links(scene: Scene) -> str:
    inner, outside = (scene.folder / "write").resolve() / "inner", scene.folder / "private"
    inner.mkdir()
    outside.mkdir()
    (outside / "file.txt").write_text("private")
    spec = scene.spec("leave.py", scene.write_mount())
    args = {"target": str(outside), "folder": f"{WRITE}/inner"}
    if wrong := answered(await scene.call("leave.py", "leave_links", args, spec=spec)):
        return wrong
    if not inner.is_symlink():
        return "the link was not made, so that nothing was tried"
    spec = scene.spec("leave.py", Mount(source=inner, target="/work/data/inner"))
    try:
        result = await scene.call("leave.py", "read_through", {"folder": "/work/data/inner"}, spec=spec)
    except SandboxRefused:
        return ""
    return f"the next container mounted what a planted link leads to: {result.value or result.failure}"


async def _race(scene: Scene) -> str:
    inner, outside = (scene.folder / "write").resolve() / "inner", scene.folder / "private"
    for folder in (inner, outside):
        folder.mkdir()
    (outside / "file.txt").write_text("private")
    swapping = asyncio.create_task(
        scene.call(
            "leave.py",
            "swap_links",
            {"target": str(outside), "folder": f"{WRITE}/inner", "seconds": _SWAPPED},
            spec=scene.spec("leave.py", scene.write_mount(), cpu=1.0),
            seconds=_SWAPPED + 3,
        )
    )
    spec = scene.spec("leave.py", Mount(source=inner, target="/work/data/inner"))
    read: list[str] = []
    while not (swapping.done() or read):
        # Refused is right, and so is a sandbox that could not mount what had gone.
        with contextlib.suppress(SandboxRefused, SandboxFailed):
            result = await scene.call("leave.py", "read_through", {"folder": "/work/data/inner"}, spec=spec)
            read = result.value or []
    if wrong := answered(await swapping):
        return wrong
    return f"a container mounted what a link led to for a moment: {read}" if read else ""


async def _odd_files(scene: Scene) -> str:
    spec = scene.spec("leave.py", scene.write_mount())
    made = await scene.call("leave.py", "make_odd_files", spec=spec)
    if wrong := answered(made):
        return wrong
    if "done" not in made.value.values():
        return f"nothing odd could be made, so that nothing was tried: {made.value}"
    async with asyncio.timeout(10):
        await asyncio.to_thread(unwritable, Path(scene.folder, "write"), NOBODY)
    return answered(await scene.call("leave.py", "answer", spec=spec))


LEAVING: tuple[Attack, ...] = (
    Attack(
        name="daemon",
        tried="answers, and leaves a process in a session of its own that ignores signals",
        promise="when the answer is there, nothing of the call runs any more",
        attempt=_daemon,
    ),
    Attack(
        name="daemon-kept",
        tried="leaves such a process in a container that is kept for its conversation",
        promise="a conversation keeps files, and no process",
        attempt=_daemon_of_a_conversation,
    ),
    Attack(
        name="planted-code",
        tried="plants sitecustomize, .pth files, LD_PRELOAD and PYTHONPATH for the next call",
        promise="no file and no variable of one call is run by the start of another",
        attempt=_code,
    ),
    Attack(
        name="state",
        tried="leaves files, shared memory, keys and sockets for the next call",
        promise="a call finds nothing of another",
        attempt=_state,
    ),
    Attack(
        name="conversation",
        tried="leaves files, shared memory, keys and sockets for another conversation",
        promise="a conversation finds nothing of another, where containers are kept for one",
        attempt=_another_conversation,
    ),
    Attack(
        name="planted-links",
        tried="replaces a folder, which the next call mounts, by a link to the host's",
        promise="a mount that has become a link is refused",
        attempt=_links,
        cves=("CVE-2021-30465",),
    ),
    Attack(
        name="racing-links",
        tried="exchanges a folder and a link to the host's, over and over, while other calls mount the folder",
        promise="what is mounted is what was looked at",
        attempt=_race,
        cves=("CVE-2021-30465",),
    ),
    Attack(
        name="odd-files",
        tried="fills a write mount with FIFOs, sockets and loops of links",
        promise="what lies in a write mount keeps nobody waiting",
        attempt=_odd_files,
    ),
)
