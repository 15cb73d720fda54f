"""Calls as fast as they come: ours from many callers at once, against what the engine can make and remove at all.

The two alternate in short stretches, so that both meet the same machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import docker
import docker.errors

from bailiwick.errors import BailiwickError
from bailiwick.sandbox.docker.flags import create_arguments
from benchmarks.peers import Ours

__all__ = ["Caller", "sustained"]

_THREADS = (1, 2, 4)
"""How many make containers at once when the engine's own rate is looked for; the best of them is taken."""


@dataclass(kw_only=True)
class Caller:
    """One of those who call without a pause."""

    waits: list[float] = field(default_factory=list[float])
    """Seconds of each call that was answered."""
    containers: list[str] = field(default_factory=list[str])
    refused: int = 0
    """Calls that the sandbox did not take: it raised."""


@dataclass(frozen=True, kw_only=True)
class Stock:
    """Our containers once nothing more happens to them: how many wait, and when the last of them changed."""

    waiting: int
    since: float


async def sustained(ours: Ours, image: str, *, callers: int, seconds: float) -> dict[str, Any]:
    """Calls a second of ``callers`` at once, and the engine's containers a second; ``seconds`` for each in all.

    What a stretch leaves to do counts as its time: used containers that are still to be removed, and waiting ones
    that are still to be made. Containers that waited already and are not replaced do not count as made.
    """
    stretch = seconds / len(_THREADS)
    everyone = [Caller() for _ in range(callers)]
    engine: dict[str, float] = {}
    took, grown = 0.0, 0
    for threads in _THREADS:
        before = await asyncio.to_thread(_settle, ours, everyone)
        engine[str(threads)] = await asyncio.to_thread(_engine_rate, ours, image, threads, stretch)
        started = time.perf_counter()
        await asyncio.gather(*(_call_until(ours, caller, started + stretch) for caller in everyone))
        ended = time.perf_counter()
        after = await asyncio.to_thread(_settle, ours, everyone)
        took += max(ended, after.since) - started
        grown += after.waiting - before.waiting
    return _summary(everyone, took, grown, engine)


def _summary(everyone: list[Caller], took: float, grown: int, engine: dict[str, float]) -> dict[str, Any]:
    answered = [len(caller.waits) for caller in everyone]
    containers = [each for caller in everyone for each in caller.containers]
    made, best = (len(set(containers)) + grown) / took, max(engine.values())
    waits = sorted(wait for caller in everyone for wait in caller.waits) or [0.0]
    return {
        "callers": len(everyone),
        "calls": sum(answered),
        "calls_per_s": sum(answered) / took,
        "made_per_s": made,
        "engine_per_s": engine,
        "share_of_engine": made / best if best else 0.0,
        "containers_used_twice": len(containers) - len(set(containers)),
        "fewest_calls": min(answered),
        "most_calls": max(answered),
        "wait_p50_ms": waits[len(waits) // 2] * 1000,
        "longest_wait_ms": waits[-1] * 1000,
        "refused": sum(caller.refused for caller in everyone),
    }


def _settle(ours: Ours, everyone: list[Caller], *, quiet: float = 0.6, within: float = 60.0) -> Stock:
    """Wait until no used container is left, and for ``quiet`` seconds none came or went."""
    used = {each for caller in everyone for each in caller.containers}
    client: Any = docker.from_env().api
    began = since = time.perf_counter()
    there: set[str] = set()
    try:
        while True:
            found = {str(each["Id"]) for each in client.containers(all=True, filters={"label": ours.labels})}
            now = time.perf_counter()
            if found != there:
                there, since = found, now
            if now - began > within or (now - since > quiet and not there & used):
                return Stock(waiting=len(there - used), since=since)
            time.sleep(0.05)
    finally:
        client.close()


async def _call_until(ours: Ours, caller: Caller, end: float) -> None:
    while (started := time.perf_counter()) < end:
        try:
            answered = await ours.run("nothing")
        except BailiwickError:
            caller.refused += 1
            await asyncio.sleep(0.01)
        else:
            caller.waits.append(time.perf_counter() - started)
            caller.containers.append(answered.result.container)


def _engine_rate(ours: Ours, image: str, threads: int, seconds: float) -> float:
    """Containers a second, hardened and mounted as ours are, that do nothing: created, started and removed."""
    client: Any = docker.from_env(max_pool_size=threads).api
    given = create_arguments(ours.spec, image=image, python="true", labels={}, runner=None, runtime=None)
    given["entrypoint"] = ["true"]
    made: list[int] = []
    started = time.perf_counter()

    def make() -> None:
        count = 0
        while time.perf_counter() < started + seconds:
            container = client.create_container(**given)["Id"]
            client.start(container)
            with contextlib.suppress(docker.errors.NotFound):
                client.remove_container(container, force=True, v=True)
            count += 1
        made.append(count)

    makers = [threading.Thread(target=make) for _ in range(threads)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    took = time.perf_counter() - started
    client.close()
    return sum(made) / took
