"""What a container that waits for its call holds of the machine's memory."""

from __future__ import annotations

import asyncio
import re
import statistics
from pathlib import Path
from typing import Any

import docker

from benchmarks.peers import Ours

__all__ = ["waiting_memory"]


async def waiting_memory(ours: Ours, *, pause: float) -> dict[str, Any]:
    """MiB for each waiting container, medians, or an empty dict when none waits.

    ``cgroup`` is what the container is charged, files in memory left out. ``pss`` is its processes' own share of what
    they map, ``shim`` the resident size of the engine's process that watches over it: both only for root.
    """
    for _ in range(3):
        await ours.run("nothing")
        await asyncio.sleep(pause)
    await asyncio.sleep(1)  # what is removed in the background has gone
    return await asyncio.to_thread(_measure, ours)


def _measure(ours: Ours) -> dict[str, Any]:
    client: Any = docker.from_env().api
    try:
        found = client.containers(filters={"label": ours.labels, "status": "running"})
        each = [_one(client, container["Id"]) for container in found]
    finally:
        client.close()
    if not each:
        return {}
    names = {name for one in each for name in one}
    return {
        "containers": len(each),
        **{
            f"{name}_mib": statistics.median(one[name] for one in each if name in one) / 2**20 for name in sorted(names)
        },
    }


def _one(client: Any, container: str) -> dict[str, float]:
    memory = client.stats(container, stream=False)["memory_stats"]
    files = memory["stats"].get("total_cache", memory["stats"].get("file", 0))
    told = {"cgroup": float(memory["usage"] - files)}
    first = int(client.inspect_container(container)["State"]["Pid"])
    try:
        rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in (first, *_below(first))]
        told["pss"] = float(sum(_kibibytes("Pss", text) for text in rollups)) * 1024
        shim = _kibibytes("PPid", Path(f"/proc/{first}/status").read_text())
        told["shim"] = float(_kibibytes("VmRSS", Path(f"/proc/{shim}/status").read_text())) * 1024
    except OSError:
        pass  # not root: the kernel does not show other users' maps
    return told


def _below(pid: int) -> list[int]:
    """Every process under ``pid``."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [each for child in children for each in (child, *_below(child))]


def _kibibytes(name: str, text: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0
