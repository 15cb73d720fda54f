"""What a container is allowed to be, what is asked of it, and what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

__all__ = ["ExitCause", "Mount", "Request", "Result", "Sandbox", "Spec", "ToolFailure"]

ExitCause = Literal["ok", "error", "timeout", "oom", "signal", "output", "killed"]
"""How a call ended: returned · raised · ran out of time · of memory · died by a signal · said too much · its
container was killed from outside before it answered."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A host path seen inside. Read-only unless ``write``."""

    source: Path
    target: str
    write: bool = False


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Everything that decides what a container can touch; equal specs may share waiting containers.

    Empty ``mounts`` mount nothing beyond the image. There is no network in any spec: egress goes by its own socket.
    """

    image: str
    mounts: tuple[Mount, ...] = ()
    uid: int = 65534
    cpu: float = 0.5
    memory: int = 128 * 2**20
    pids: int = 16
    disk: int = 16 * 2**20
    runtime: Literal["any", "runc", "gvisor", "bubblewrap"] = "any"

    @property
    def digest(self) -> str:
        """``sha256:…`` over the canonical JSON of the spec."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), default=str)
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Request:
    """One thing to do inside: call a function of a file, or describe the tools of a file."""

    op: Literal["call", "describe"] = "call"
    file: str
    """The tool's file as seen inside the container."""
    function: str = ""
    args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    idempotency_key: str = ""
    time: float = 5.0
    """Seconds that the tool itself may take."""
    output: int = 64 * 2**10
    """Bytes of result, and of each of stdout and stderr, that are taken back."""
    traceparent: str = ""
    """W3C trace context of the span under which the call runs."""


@dataclass(frozen=True, kw_only=True)
class ToolFailure:
    """What the tool raised: the exception's class and its message, as data."""

    type: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a call ended and what it used. ``value`` is JSON data, present only when ``cause`` is ``ok``."""

    cause: ExitCause
    value: Any = None
    failure: ToolFailure | None = None
    stdout: str = ""
    stderr: str = ""
    sandbox: str = ""
    """``docker`` or ``bubblewrap`` (``scripted`` in tests)."""
    container: str = ""
    image_digest: str = ""
    spec_digest: str = ""
    start_ms: float = 0.0
    """From asking for a container until it was ready."""
    wall_ms: float = 0.0
    """The tool's own wall time."""
    cpu_ms: float = 0.0
    peak_rss_bytes: int = 0
    spans: tuple[Mapping[str, Any], ...] = ()
    """Spans the tool opened: ``{name, start_ns, end_ns, attributes, error}``, times relative to the call's start."""


class Sandbox(Protocol):
    """Runs one request in a fresh container and leaves nothing behind.

    ``run`` returns a ``Result`` however the tool behaves. It raises ``SandboxRefused`` when it cannot hold the spec,
    ``SandboxFailed`` when it broke before the request was handed over; after that, a broken container is a
    ``Result`` with ``cause="killed"``.
    """

    @property
    def kind(self) -> str: ...

    def check(self, spec: Spec) -> None:
        """Raise ``SandboxRefused`` when this sandbox cannot hold ``spec``, without starting anything."""
        ...

    async def run(self, spec: Spec, request: Request) -> Result: ...

    async def close(self) -> None:
        """Remove whatever is left. Safe to call twice."""
        ...
