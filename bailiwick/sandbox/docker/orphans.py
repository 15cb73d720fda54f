"""Removing containers for good: one's own, and those that a killed host has left."""

from __future__ import annotations

import contextlib
import time

from bailiwick.sandbox.docker.client import ContainerNotFound, EngineClient, EngineGone
from bailiwick.sandbox.ownership import MARK, abandoned

__all__ = ["reap", "remove"]

_RUNS = ("running", "paused", "restarting")
_PAUSES = (0.05, 0.2, 0.5, 1.0)


def remove(client: EngineClient, container: str) -> bool:
    """Kill and remove ``container`` with its volumes; whether it is gone. Blocks for 10 to 100 ms, at most seconds.

    Tried again, since an engine may refuse in the moment in which a container ends (Podman does: "state improper").
    """
    for pause in (*_PAUSES, None):
        try:
            client.remove_container(container, force=True, v=True)
        except ContainerNotFound:
            return True
        except EngineGone:
            if pause is not None:
                time.sleep(pause)
        else:
            return True
    return False


def reap(client: EngineClient) -> list[str]:
    """Remove every container that its owner can no longer remove; their ids.

    At each opening, and from time to time while a sandbox is open: the engine may carry out a dead host's last request
    only after the next host has looked. An engine that does not answer is no error; the next time is as good.
    """
    with contextlib.suppress(*EngineGone):
        found = client.containers(all=True, filters={"label": MARK})
        dead = [
            str(each["Id"]) for each in found if abandoned(each.get("Labels") or {}, running=each.get("State") in _RUNS)
        ]
        return [container for container in dead if remove(client, container)]
    return []
