"""Attacks on a secret that a call was given: from inside, from the host, by the next call."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from pathlib import Path
from typing import Any, cast

from bailiwick.sandbox.contract.attack import WRITE, Attack, Scene
from bailiwick.sandbox.contract.judges import answered
from bailiwick.sandbox.docker.client import EngineGone, connect
from bailiwick.sandbox.spec import Result, Spec

__all__ = ["KEEPING_SECRETS"]

_HELD, _APPEARS = 1.5, 15.0
"""Seconds for which the tool holds the secret, and within which it must have it."""
_PAUSE = 0.05


def _new_secret() -> str:
    return f"bailiwick-secret-{secrets.token_hex(16)}"


async def _inside(scene: Scene) -> str:
    value = _new_secret()
    result = await scene.call("reach.py", "find_the_secret", {"name": "TOKEN"}, secrets={"TOKEN": value})
    if wrong := answered(result):
        return wrong
    if result.value["length"] != len(value):
        return "the tool was not given its secret, so that nothing was tried"
    return f"it shows in {', '.join(result.value['seen'])}" if result.value["seen"] else ""


async def _outside(scene: Scene) -> str:
    value, spec = _new_secret(), scene.spec("reach.py", scene.write_mount())
    args = {"name": "TOKEN", "file": f"{WRITE}/held", "seconds": _HELD}
    calling = asyncio.create_task(
        scene.call("reach.py", "use_the_secret", args, spec=spec, secrets={"TOKEN": value}, seconds=_HELD + 5)
    )
    try:
        await _appears(scene.folder / "write/held", calling)
        seen = await asyncio.to_thread(_look_from_the_host, scene.sandbox.kind, spec, value)
    finally:
        result = await calling
    return answered(result) or (f"it shows in {', '.join(seen)}" if seen else "")


async def _appears(file: Path, calling: asyncio.Task[Result]) -> None:
    for _ in range(int(_APPEARS / _PAUSE)):
        if await asyncio.to_thread(file.exists) or calling.done():
            return
        await asyncio.sleep(_PAUSE)
    raise TimeoutError


def _look_from_the_host(kind: str, spec: Spec, value: str) -> list[str]:
    wanted = value.encode()
    seen: list[str] = []
    for name in ("cmdline", "environ"):
        for file in Path("/proc").glob(f"[0-9]*/{name}"):
            with contextlib.suppress(OSError):
                if wanted in file.read_bytes():
                    seen.append(str(file))
    return [*seen, *_look_at_the_engine(spec, value)] if kind == "docker" else seen


def _look_at_the_engine(spec: Spec, value: str) -> list[str]:
    """What ``docker inspect`` and ``docker logs`` tell of the containers of ``spec``, one of which holds the secret."""
    client = connect()
    try:
        found = client.containers(all=True, filters={"label": f"bailiwick.spec={spec.digest}"})
        seen = [] if found else ["(no container of the call could be found, so that nothing was tried)"]
        for each in found:
            container = str(each["Id"])
            if value in json.dumps(client.inspect_container(container)):
                seen.append("docker inspect")
            with contextlib.suppress(*EngineGone):  # with no logs there are none to read
                if value.encode() in cast("Any", client).logs(container, stdout=True, stderr=True):
                    seen.append("docker logs")
        return seen
    finally:
        client.close()


async def _next_call(scene: Scene) -> str:
    return await _found_later(scene, scene.spec("reach.py", scene.write_mount()))


async def _next_call_of_a_conversation(scene: Scene) -> str:
    return await _found_later(scene, scene.spec("reach.py", scene.write_mount(), isolation="thread"), thread="one")


async def _found_later(scene: Scene, spec: Spec, *, thread: str = "") -> str:
    value = _new_secret()
    args = {"name": "TOKEN", "file": f"{WRITE}/held", "seconds": 0.0}
    used = await scene.call("reach.py", "use_the_secret", args, spec=spec, secrets={"TOKEN": value}, thread=thread)
    if wrong := answered(used):
        return wrong
    found = await scene.call("reach.py", "scan_for_secrets", spec=spec, thread=thread)
    return answered(found) or (f"the next call found {len(found.value)} of them" if found.value else "")


KEEPING_SECRETS: tuple[Attack, ...] = (
    Attack(
        name="secret-inside",
        tried="looks for its secret in the environment, in /proc and in files",
        promise="a secret is given where it is asked for, and nowhere else",
        attempt=_inside,
    ),
    Attack(
        name="secret-outside",
        tried="holds and prints a secret, which the host looks for in /proc, docker inspect and docker logs",
        promise="whoever may look at processes and containers does not see a call's secret",
        attempt=_outside,
    ),
    Attack(
        name="secret-next-call",
        tried="looks for an earlier call's secret in its memory, in /proc and in files",
        promise="a secret ends with its call",
        attempt=_next_call,
    ),
    Attack(
        name="secret-kept",
        tried="looks for an earlier call's secret in a container that is kept for their conversation",
        promise="a conversation keeps no secret that a call did not write down",
        attempt=_next_call_of_a_conversation,
    ),
)
