"""Making one container ready: started, proven against its spec, its tool loaded. Only then it may wait for a call."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bailiwick.errors import SandboxFailed, SandboxRefused
from bailiwick.sandbox.attestation import attest
from bailiwick.sandbox.conversation import Channel, load, wait_until_ready
from bailiwick.sandbox.egress import Door, EgressProxy
from bailiwick.sandbox.evidence import keep_evidence
from bailiwick.sandbox.mounts import verify_mounts
from bailiwick.sandbox.ownership import own_folder
from bailiwick.sandbox.spec import Mount, Spec
from bailiwick.sandbox.stamp import Stamp, mounted_files, stamp_of

__all__ = ["Container", "Engine", "Ready", "Starter"]

_START_WITHIN = 30.0
_LOAD_WITHIN = 20.0


class Container(Protocol):
    """A started container with a runner in it."""

    @property
    def id(self) -> str: ...

    @property
    def image_digest(self) -> str: ...

    @property
    def channel(self) -> Channel: ...

    @property
    def rlimits(self) -> Mapping[str, int]:
        """Limits of the tool's process where no cgroup keeps them, named without RLIMIT_. Empty: a cgroup does."""
        ...

    def limits(self) -> Mapping[str, object]:
        """Limits as the kernel has them, where the container cannot see its own; the rest of its report."""
        ...

    def overstepped(self) -> bool:
        """Whether its memory limit was enforced by killing, asked after it ended or lost a process."""
        ...

    def ended_before(self, moment: float) -> bool:
        """Whether it is known to have ended before ``moment`` (seconds since 1970), asked after its stream ended."""
        ...

    def kill(self) -> None:
        """End everything in it now. Safe to call twice, from any thread."""
        ...

    def discard(self) -> None:
        """Remove it; the work is done elsewhere, later. Safe to call twice."""
        ...


class Engine(Protocol):
    """Where containers come from. Blocking; called from several threads."""

    @property
    def kind(self) -> str: ...

    def check(self, spec: Spec) -> None: ...

    def start(self, spec: Spec, own: tuple[Mount, ...] = ()) -> Container:
        """A started container, with ``own`` mounted beside what the spec says. Raises SandboxRefused or SandboxFailed,
        and leaves nothing behind then."""
        ...

    def reconcile(self) -> object:
        """Remove what dead owners left, and what could not be removed before. Never raises."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A proven container that waits for its call."""

    container: Container
    spec: Spec
    evidence: str
    door: Door | None
    stamp: Stamp
    since: float
    took: float
    """Seconds that it took to get here."""

    def usable(self) -> bool:
        """Whether it still waits, and what it has mounted is still what stands there. Takes some 20 µs."""
        try:
            return self.container.channel.silent() and stamp_of(self.spec) == self.stamp
        except (SandboxRefused, OSError, ValueError):
            return False

    def destroy(self) -> None:
        """Remove it later; nothing is waited for. One that still runs something is killed before, by its user."""
        if self.door is not None:
            self.door.close()
        self.container.discard()


class Starter:
    """Makes containers ready."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._egress: EgressProxy | None = None

    def close(self) -> None:
        """Close every way out. Safe to call twice."""
        with self._lock:
            if self._egress is not None:
                self._egress.close()

    def _door(self, spec: Spec) -> Door | None:
        if not spec.network:
            return None
        with self._lock:
            if self._egress is None:  # a process whose tools reach nothing has no folder for sockets
                self._egress = EgressProxy(own_folder())
        return self._egress.open(spec.network, byte_limit=spec.network_bytes)

    def start(self, spec: Spec, file: str) -> Ready:
        """A container of ``spec`` with the tool's ``file`` loaded; an empty ``file``: none.

        Raises SandboxRefused, SandboxFailed or AttestationFailed, and leaves nothing behind then.
        """
        begun = time.monotonic()
        verify_mounts(spec)
        stamp = stamp_of(spec)
        door = self._door(spec)
        try:
            own = _own_mounts(door)
            files = mounted_files((*spec.mounts, *own))
            container = self._engine.start(spec, own)
            try:
                return self._proven(container, spec, own, files, file, stamp, door, begun)
            except BaseException:
                container.kill()
                container.discard()
                raise
        except BaseException:
            if door is not None:
                door.close()
            raise

    def _proven(
        self,
        container: Container,
        spec: Spec,
        own: tuple[Mount, ...],
        files: Mapping[str, list[int]],
        file: str,
        stamp: Stamp,
        door: Door | None,
        begun: float,
    ) -> Ready:
        hello = wait_until_ready(container.channel, _START_WITHIN)
        seen = {**hello.report, "limits": {**hello.report.get("limits", {}), **container.limits()}}
        attest(spec, self._engine.kind, hello.spec, seen, own, files)
        digest = keep_evidence(spec, kind=self._engine.kind, image=container.image_digest, report=seen)
        if file:  # one that cannot be imported yet is imported in the call, which then tells why it cannot
            load(container.channel, file, rlimits=container.rlimits, within=_LOAD_WITHIN)
            if not container.channel.silent():
                raise SandboxFailed("the container ended while its tool was loaded")
        now = time.monotonic()
        return Ready(
            container=container,
            spec=spec,
            evidence=digest,
            door=door,
            stamp=stamp,
            since=now,
            took=now - begun,
        )


def _own_mounts(door: Door | None) -> tuple[Mount, ...]:
    if door is None:
        return ()
    return (Mount(source=door.folder, target="/egress"), Mount(source=door.hosts, target="/etc/hosts"))
