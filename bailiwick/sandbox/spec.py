"""What a container is allowed to be, what is asked of it, and what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from bailiwick.sandbox.egress import EgressEvent, Endpoint

__all__ = ["ExitCause", "Mount", "OutputFile", "Request", "Result", "Sandbox", "Spec", "ToolFailure"]

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

    Empty ``mounts`` mount nothing beyond the image. Empty ``network`` reaches nothing; no container has an interface
    beyond loopback, and what ``network`` names is reached through a socket of the container's own.
    """

    image: str
    mounts: tuple[Mount, ...] = ()
    uid: int = 65534
    cpu: float = 0.5
    memory: int = 128 * 2**20
    pids: int = 16
    disk: int = 16 * 2**20
    runtime: Literal["any", "runc", "gvisor", "bubblewrap"] = "any"
    network: tuple[Endpoint, ...] = ()
    network_bytes: int = 16 * 2**20
    """Of one call, over all its connections and in both directions."""
    isolation: Literal["call", "thread"] = "call"
    """``call``: a fresh container each. ``thread``: one for each conversation, and each call in fresh processes."""

    @cached_property
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
    thread: str = ""
    """The conversation, for containers that are kept for one. Empty: none, so the container is nobody else's."""
    files: int = 0
    """Files that are taken back at most."""
    file_bytes: int = 0
    """Bytes that they have together at most."""


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    """A file that a tool left in its output folder. ``name`` is a relative path without ``..``."""

    name: str
    data: bytes = field(repr=False)


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
    evidence: str = ""
    """Digest of what the container said of itself before it served; ``bailiwick sandbox evidence`` shows it."""
    waited: bool = False
    """Whether the container was waiting for the call. If not, it was started for it."""
    start_ms: float = 0.0
    """From asking for a container until it was ready."""
    wall_ms: float = 0.0
    """The tool's own wall time."""
    cpu_ms: float = 0.0
    peak_rss_bytes: int = 0
    files: tuple[OutputFile, ...] = ()
    files_left_out: tuple[str, ...] = ()
    """What lay in the output folder and was not taken, each with the reason."""
    egress: tuple[EgressEvent, ...] = ()
    """Connections that the call made or was denied, as the proxy on the host saw them."""
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

    def prepare(self, spec: Spec, file: str) -> None:
        """Let containers of ``spec`` wait, with ``file`` loaded, before the first call. Returns at once."""
        ...

    async def close(self) -> None:
        """Remove whatever is left. Safe to call twice."""
        ...
