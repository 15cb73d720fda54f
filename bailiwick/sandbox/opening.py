"""Which sandbox is here. There is no third kind: where neither answers, nothing runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Literal

from bailiwick.errors import SandboxFailed, SandboxUnavailable
from bailiwick.sandbox.bubblewrap import BubblewrapEngine
from bailiwick.sandbox.docker import DockerEngine, connect
from bailiwick.sandbox.ownership import remove_abandoned_folders
from bailiwick.sandbox.pool_settings import PoolSettings
from bailiwick.sandbox.single_use import SingleUse
from bailiwick.sandbox.spec import Sandbox, Spec
from bailiwick.sandbox.starting import Engine, Starter

__all__ = ["VARIABLE", "Kind", "open_sandbox"]

Kind = Literal["auto", "docker", "bubblewrap"]
VARIABLE = "BAILIWICK_SANDBOX"
"""Environment variable that says what ``auto`` is."""
_Progress = Callable[[str], None]
FIX = "start Docker (systemctl start docker), or install bubblewrap (Debian: apt-get install bubblewrap)"


async def open_sandbox(
    kind: Kind = "auto", *, pool: PoolSettings | None = None, on_progress: _Progress | None = None
) -> Sandbox:
    """Open a sandbox, making its image where it is missing; ``on_progress`` is told of what takes seconds.

    ``pool`` says how many containers wait; None: what BAILIWICK_POOL_* say.

    ``auto``: what BAILIWICK_SANDBOX says, else Docker where an engine answers, else bubblewrap. Raises
    SandboxUnavailable with every reason and the command that fixes it.
    """
    settings = pool or PoolSettings.from_environment()
    return await asyncio.to_thread(_open, _chosen(kind), settings, on_progress)


def _chosen(kind: Kind) -> Kind:
    wanted = os.environ.get(VARIABLE, "").strip() if kind == "auto" else kind
    if wanted not in ("", "auto", "docker", "bubblewrap"):
        raise SandboxUnavailable(
            f"{VARIABLE}={wanted!r} is no sandbox", fix=f"set {VARIABLE} to docker, bubblewrap or auto"
        )
    return wanted or "auto"


def _open(kind: Kind, pool: PoolSettings, on_progress: _Progress | None) -> Sandbox:
    with contextlib.suppress(OSError, SandboxUnavailable):  # who needs a folder of their own is told then
        remove_abandoned_folders()
    match kind:
        case "docker":
            return SingleUse(_docker(on_progress), pool)
        case "bubblewrap":
            return SingleUse(_bubblewrap(on_progress), pool)
        case "auto":
            try:
                return SingleUse(_docker(on_progress), pool)
            except SandboxUnavailable as no_docker:
                try:
                    return SingleUse(_bubblewrap(on_progress), pool)
                except SandboxUnavailable as no_bubblewrap:
                    message = f"no sandbox is here: {no_docker.message}; {no_bubblewrap.message}"
                    raise SandboxUnavailable(message, fix=FIX) from None


def _docker(on_progress: _Progress | None) -> Engine:
    engine = DockerEngine(connect(), on_progress=on_progress)
    engine.reconcile()
    try:
        engine.prepare()
    except SandboxFailed as error:
        engine.close()
        raise SandboxUnavailable(error.message) from None
    return engine


def _bubblewrap(on_progress: _Progress | None) -> Engine:
    """A bubblewrap that has been seen to run: on some hosts it is installed and may not."""
    engine = BubblewrapEngine(on_progress=on_progress)
    try:
        prove(engine)
    except SandboxFailed as error:
        engine.close()
        raise SandboxUnavailable(
            f"bubblewrap is installed and does not run here: {error.message}",
            fix="allow user namespaces (sysctl kernel.unprivileged_userns_clone=1 or "
            "kernel.apparmor_restrict_unprivileged_userns=0), or start Docker",
        ) from None
    return engine


def prove(engine: Engine) -> None:
    """Start a container that serves nothing, and prove it. Raises SandboxFailed."""
    starter = Starter(engine)
    ready = starter.start(Spec(image="python"), "")
    ready.container.kill()
    ready.destroy()
