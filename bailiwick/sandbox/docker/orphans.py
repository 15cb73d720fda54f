"""What Docker keeps of a host that was killed: its containers, which have ended by themselves and are not removed."""

from __future__ import annotations

import contextlib

from bailiwick.sandbox.docker.client import EngineClient, EngineGone
from bailiwick.sandbox.ownership import MARK, abandoned

__all__ = ["reap"]

_RUNS = ("running", "paused", "restarting")


def reap(client: EngineClient) -> list[str]:
    """Remove every container, with its volumes, that its owner can no longer remove; their ids.

    At each opening, and from time to time while a sandbox is open: the engine may carry out a dead host's last request
    only after the next host has looked. Blocks for 10 to 100 ms for each container. An engine that does not answer is
    no error; what could not be removed is left to the next time.
    """
    removed: list[str] = []
    with contextlib.suppress(*EngineGone):
        for each in client.containers(all=True, filters={"label": MARK}):
            container = str(each["Id"])
            if abandoned(each.get("Labels") or {}, running=each.get("State") in _RUNS):
                with contextlib.suppress(*EngineGone):
                    client.remove_container(container, force=True, v=True)
                    removed.append(container)
    return removed
