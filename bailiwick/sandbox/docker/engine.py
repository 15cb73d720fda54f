"""Containers by the Engine API. Its client blocks, so everything here is called from threads."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from bailiwick.errors import SandboxFailed, SandboxRefused, SandboxUnavailable
from bailiwick.sandbox.afterwards import Afterwards
from bailiwick.sandbox.conversation import Channel
from bailiwick.sandbox.docker.channel import AttachedChannel, raw_socket
from bailiwick.sandbox.docker.client import EngineClient, EngineGone, ImageNotFound, first_line, unavailable
from bailiwick.sandbox.docker.facts import GVISOR, ask_engine, demand_limits, seccomp_option
from bailiwick.sandbox.docker.flags import create_arguments
from bailiwick.sandbox.docker.image import Image, ensure_python_image, find_image
from bailiwick.sandbox.docker.orphans import reap, remove
from bailiwick.sandbox.ownership import owner_labels
from bailiwick.sandbox.spec import Mount, Spec

__all__ = ["DockerEngine"]


class DockerEngine:
    """An ``Engine`` of hardened, single-use containers."""

    kind = "docker"

    def __init__(self, client: EngineClient, *, on_progress: Callable[[str], None] | None = None) -> None:
        self._client = client
        self._on_progress = on_progress
        self._images: dict[str, Image] = {}
        self._lock = threading.Lock()
        try:
            self.facts = ask_engine(client)
            demand_limits(self.facts)
            self._seccomp = seccomp_option(self.facts)
        except EngineGone as error:
            raise unavailable(error) from None
        except SandboxUnavailable:
            client.close()
            raise
        self._afterwards = Afterwards("bailiwick-docker-removal")
        self._left: set[str] = set()
        """Containers that could not be removed, for the engine was being started again, say."""
        self._closed = False

    def reconcile(self) -> None:
        """Begin to remove the containers that nobody else will remove. At each opening, and from time to time."""
        self._again()
        self._afterwards.add(partial(_reap, self._client))

    def _again(self) -> None:
        for container in tuple(self._left):
            self._afterwards.add(partial(_remove, self._client, container, self._left))

    def prepare(self) -> None:
        """Make the image ``python`` now rather than at the first call."""
        self._image("python")

    def check(self, spec: Spec) -> None:
        self._runtime(spec)
        self._image(spec.image)

    def start(self, spec: Spec, own: tuple[Mount, ...] = ()) -> DockerContainer:
        try:
            return self._start(spec, own)
        except ImageNotFound:  # somebody removed it from the engine: ours is made anew, another is missed by name
            with self._lock:
                self._images.pop(spec.image, None)
        try:
            return self._start(spec, own)
        except ImageNotFound as error:
            raise SandboxFailed(f"Docker did not start a container: {first_line(error)}") from None

    def _start(self, spec: Spec, own: tuple[Mount, ...]) -> DockerContainer:
        image, runtime = self._image(spec.image), self._runtime(spec)
        arguments = create_arguments(
            spec,
            image=image.digest,
            python=image.python,
            runner=image.runner,
            labels=owner_labels(spec.digest),
            runtime=runtime,
            seccomp=self._seccomp,
            covered=self.facts.adds,
            own=own,
        )
        container, attached = "", None
        try:
            container = str(self._client.create_container(**arguments)["Id"])
            streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            # Attached before it starts, so that nothing it says is missed.
            attached = self._client.attach_socket(container, params=streams)
            self._client.start(container)
        except EngineGone as error:
            if attached is not None:
                AttachedChannel(raw_socket(attached)).close()
                attached.close()
            if container:
                self._afterwards.add(partial(_remove, self._client, container, self._left))
            if isinstance(error, ImageNotFound):
                raise
            raise SandboxFailed(f"Docker did not start a container: {first_line(error)}") from None
        return DockerContainer(container, image.digest, attached, self._client, self._afterwards, self._left)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._again()
            self._afterwards.close()
            self._client.close()

    def _image(self, name: str) -> Image:
        with self._lock:
            if name not in self._images:
                try:
                    own = name == "python"
                    found = ensure_python_image(self._client, self._on_progress) if own else None
                    self._images[name] = found or find_image(self._client, name)
                except EngineGone as error:
                    raise SandboxFailed(f"Docker did not give the image {name!r}: {first_line(error)}") from None
            return self._images[name]

    def _runtime(self, spec: Spec) -> str | None:
        """The OCI runtime to ask for; None: the engine's default. Raises SandboxRefused for one it does not have."""
        match spec.runtime:
            case "any":
                return None
            case "runc" if "runc" in self.facts.runtimes:
                return "runc"
            case "gvisor" if GVISOR in self.facts.runtimes:
                return GVISOR
            case "gvisor" | "runc" if self.facts.product == "podman":
                raise SandboxRefused(
                    f"sandbox.runtime: {spec.runtime} is demanded, and Podman gives every container its default, "
                    f"{self.facts.default_runtime}, whatever it is asked for",
                    fix="start its service with --runtime, use Docker, or write runtime: any",
                )
            case "gvisor":
                raise SandboxRefused(
                    "sandbox.runtime: gvisor is demanded, and the engine has no runtime called runsc",
                    fix="install gVisor and register it with the engine, or write runtime: any",
                )
            case "bubblewrap":
                raise SandboxRefused(
                    "sandbox.runtime: bubblewrap is demanded, and this sandbox is Docker",
                    fix="set BAILIWICK_SANDBOX=bubblewrap, or write runtime: any",
                )
            case "runc":
                raise SandboxRefused(
                    "sandbox.runtime: runc is demanded, and the engine does not have it", fix="write runtime: any"
                )


class DockerContainer:
    """A started container and its streams."""

    rlimits: Mapping[str, int] = {}

    def __init__(
        self,
        container: str,
        image_digest: str,
        attached: Any,
        client: EngineClient,
        afterwards: Afterwards,
        left: set[str],
    ) -> None:
        self.id, self.image_digest = container, image_digest
        self._attached = attached  # the file object keeps the connection open
        self._streams = AttachedChannel(raw_socket(attached))
        self._client, self._afterwards, self._left = client, afterwards, left
        self._discarded = False

    @property
    def channel(self) -> Channel:
        return self._streams

    def limits(self) -> Mapping[str, object]:
        return {}  # it sees its own control groups

    def ended_before(self, moment: float) -> bool:
        # The engine learns of an end a moment after the stream has ended.
        for pause in (0.0, 0.05, 0.2):
            time.sleep(pause)
            with contextlib.suppress(*EngineGone, ValueError, KeyError):
                state = self._client.inspect_container(self.id)["State"]
                if not state["Running"]:
                    return _moment(str(state["FinishedAt"])) < moment
        return False

    def overstepped(self) -> bool:
        # The engine learns of it from an event that may come a moment after the end of the stream.
        for pause in (0.0, 0.02, 0.05, 0.1, 0.2):
            time.sleep(pause)
            with contextlib.suppress(*EngineGone):
                state = self._client.inspect_container(self.id)["State"]
                if state.get("OOMKilled"):
                    return True
        return False

    def kill(self) -> None:
        with contextlib.suppress(*EngineGone):
            self._client.kill(self.id, signal="SIGKILL")
        self._streams.close()

    def discard(self) -> None:
        if not self._discarded:
            self._discarded = True
            self._streams.close()
            with contextlib.suppress(OSError):
                self._attached.close()
            self._afterwards.add(partial(_remove, self._client, self.id, self._left))


def _moment(told: str) -> float:
    """Seconds since 1970 of an engine's ``2026-01-31T12:00:00.123456789Z``, whose nanoseconds Python does not read."""
    return datetime.fromisoformat(f"{told[:19]}+00:00").timestamp() + float("0" + told[19:].rstrip("Z") or 0)


def _remove(client: EngineClient, container: str, left: set[str]) -> None:
    """What stays in spite of it is noted in ``left``, to be tried again."""
    if remove(client, container):
        left.discard(container)
    else:
        left.add(container)


def _reap(client: EngineClient) -> None:
    reap(client)
