"""Which engine answers: Docker or Podman, as root or not, and what of the Engine API it does not do.

Podman speaks Docker's API, and differs where it counts here. It ignores the runtime that a container asks for: whoever
asks for gVisor gets its default, without a word. It adds writable folders to a container whose root is read-only. And
it takes a seccomp profile as a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bailiwick.errors import SandboxUnavailable
from bailiwick.sandbox.cache import kept_tree
from bailiwick.sandbox.docker.client import EngineClient
from bailiwick.sandbox.seccomp import PROFILE

__all__ = ["GVISOR", "EngineFacts", "ask_engine", "demand_limits", "seccomp_option"]

GVISOR = "runsc"
"""What gVisor's runtime is called where it is registered."""
_PROFILE_FILE = "profile.json"


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """What the engine says of itself."""

    product: Literal["docker", "podman"]
    version: str
    rootless: bool
    """Whether it runs as an ordinary user: its root is nobody on the host, and limits need cgroup delegation."""
    runtimes: frozenset[str]
    """OCI runtimes that a container can really be given."""
    default_runtime: str
    seccomp: bool
    storage: str
    cgroup_version: int
    adds: Sequence[str]
    """Writable folders that it puts into a container whose root is read-only."""
    unkept: Sequence[str]
    """Limits that this engine takes and does not keep: of ``memory``, ``swap``, ``pids``, ``cpu``."""

    @property
    def name(self) -> str:
        """For people: ``Docker``, ``Docker rootless``, ``Podman``, ``Podman rootless``."""
        return self.product.capitalize() + (" rootless" if self.rootless else "")


def ask_engine(client: EngineClient) -> EngineFacts:
    """Ask the engine what it is. Raises what the client raises (``EngineGone``)."""
    info = client.info()
    parts = [str(part.get("Name", "")) for part in client.version().get("Components") or ()]
    options = [str(option) for option in info.get("SecurityOptions") or ()]
    podman = any("podman" in part.lower() for part in parts)
    default = str(info.get("DefaultRuntime") or "")
    return EngineFacts(
        product="podman" if podman else "docker",
        version=str(info.get("ServerVersion") or "?"),
        rootless=bool(info.get("Rootless")) or any("rootless" in option for option in options),
        # Podman lists every runtime it has heard of, installed or not, and gives every container its default.
        runtimes=frozenset([default]) if podman else frozenset(str(name) for name in info.get("Runtimes") or ()),
        default_runtime=default,
        seccomp=any("seccomp" in option for option in options),
        storage=str(info.get("Driver") or "?"),
        cgroup_version=int(info.get("CgroupVersion") or 1),
        adds=("/run", "/var/tmp") if podman else (),  # noqa: S108
        unkept=_unkept(info),
    )


def _unkept(info: dict[str, Any]) -> list[str]:
    if info.get("CgroupDriver") == "none":  # rootless, where no cgroup is delegated: flags are taken and ignored
        return ["memory", "swap", "pids", "cpu"]
    keys = {"memory": "MemoryLimit", "swap": "SwapLimit", "pids": "PidsLimit", "cpu": "CpuCfsQuota"}
    return [name for name, key in keys.items() if info.get(key) is False]


def demand_limits(facts: EngineFacts) -> None:
    """Raise SandboxUnavailable when the engine takes limits and does not keep them."""
    # Without an account of swap the engine bounds memory alone; a host without swap has none to bound.
    unkept = [name for name in facts.unkept if name != "swap"]
    if unkept:
        raise SandboxUnavailable(
            f"{facts.name} does not keep a container's limits of {', '.join(unkept)}",
            fix="boot with cgroup version 2 and delegate its controllers to the user (systemd: Delegate=yes), run the "
            "engine as root, or set BAILIWICK_SANDBOX=bubblewrap"
            if facts.rootless
            else "mount the cgroup controllers memory, pids and cpu",
        )


def seccomp_option(facts: EngineFacts) -> str | None:
    """The seccomp profile as a ``security_opt`` of an engine that does not take it as Docker does; None: it does.

    Podman takes the path of a file. Raises SandboxUnavailable when the file cannot be kept.
    """
    if facts.product == "docker":
        return None
    text = json.dumps(PROFILE, separators=(",", ":"))

    def build(folder: Path) -> None:
        (folder / _PROFILE_FILE).write_text(text)

    key = hashlib.sha256(text.encode()).hexdigest()[:24]
    return f"seccomp={kept_tree('seccomp', key, build) / _PROFILE_FILE}"
