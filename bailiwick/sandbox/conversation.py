"""The host's side of one call: wait for the runner, hand the call over, take the reply. Nothing read is trusted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol, cast

from bailiwick.errors import SandboxFailed
from bailiwick.sandbox.inside import wire
from bailiwick.sandbox.spec import ExitCause, Request, Result, ToolFailure

__all__ = ["GRACE", "Channel", "ChannelEnded", "ask", "wait_until_ready"]

GRACE = 3.0
"""Seconds beyond the tool's own after which a runner that has not answered is given up."""
_READY_BYTES = 4096
_CAUSES: tuple[ExitCause, ...] = ("ok", "error", "timeout", "oom", "signal", "output", "killed")


class ChannelEnded(Exception):
    """Raised when the other side has gone."""


class Channel(Protocol):
    """Both directions of a runner's protocol. Blocking; used by one thread."""

    def send(self, data: bytes, deadline: float) -> None:
        """Send everything. Raises ChannelEnded, and TimeoutError after ``deadline`` (monotonic seconds)."""
        ...

    def receive(self, size: int, deadline: float) -> bytes:
        """Exactly ``size`` bytes. Raises ChannelEnded, and TimeoutError after ``deadline``."""
        ...


def wait_until_ready(channel: Channel, within: float) -> Mapping[str, Any]:
    """What the runner says of itself. Raises SandboxFailed when it does not say it in time."""
    deadline = time.monotonic() + within
    try:
        hello = wire.read_frame(lambda size: channel.receive(size, deadline), _READY_BYTES)
    except TimeoutError:
        raise SandboxFailed(f"the runner was not ready after {within:g} s") from None
    except (ChannelEnded, wire.WireError) as error:
        raise SandboxFailed(f"the runner did not start: {error}") from None
    if hello.get("ready") != 1:
        raise SandboxFailed(f"the runner speaks another protocol: {hello}")
    return hello


def ask(channel: Channel, request: Request, *, rlimits: Mapping[str, int]) -> Result:
    """Hand ``request`` over and give what came of it.

    Raises SandboxFailed while nothing was handed over. Afterwards every end is a result: a reply that is no reply is
    ``killed`` (or ``output``, when only its size is wrong), since nobody knows then what the tool did.
    """
    deadline = time.monotonic() + request.time + GRACE
    message = asdict(request) | {"rlimits": dict(rlimits)}
    try:
        data = wire.encode(message)
    except (TypeError, ValueError) as error:
        raise SandboxFailed(f"the arguments are not JSON: {error}") from None
    if len(data) > wire.REQUEST_BYTES:
        raise SandboxFailed(
            f"the call is {len(data)} bytes large, and {wire.REQUEST_BYTES} is the most a sandbox takes"
        )
    if wire.depth_exceeds(data[wire.HEADER.size :], wire.DEPTH):
        raise SandboxFailed(f"the arguments are nested deeper than {wire.DEPTH} levels")
    try:
        channel.send(data, deadline)
    except (ChannelEnded, TimeoutError):
        return Result(cause="killed", failure=ToolFailure(type="ContainerGone", message="it ended before the call"))
    try:
        return _result(wire.read_frame(lambda size: channel.receive(size, deadline), _reply_bytes(request)))
    except TimeoutError:
        return Result(cause="timeout", wall_ms=(request.time + GRACE) * 1000)
    except ChannelEnded:
        return Result(cause="killed")
    except wire.WireError as error:
        return Result(cause="killed", failure=ToolFailure(type="ReplyMalformed", message=f"the reply is {error}"))


def _reply_bytes(request: Request) -> int:
    # Bounded thrice by ``output`` (result, stdout, stderr); a control character takes six bytes in JSON.
    return 18 * request.output + 2**20


def _result(reply: Mapping[str, Any]) -> Result:
    cause = reply.get("cause")
    if cause not in _CAUSES:
        raise wire.WireError(f"without a cause that is known: {str(cause)[:80]!r}")
    return Result(
        cause=cause,
        value=reply.get("value") if cause == "ok" else None,
        failure=_failure(reply.get("failure")),
        stdout=_text(reply.get("stdout")),
        stderr=_text(reply.get("stderr")),
        wall_ms=_number(reply.get("wall_ms")),
        cpu_ms=_number(reply.get("cpu_ms")),
        peak_rss_bytes=int(_number(reply.get("peak_rss_bytes"))),
        spans=tuple(_spans(reply.get("spans"))),
    )


def _failure(told: object) -> ToolFailure | None:
    if not isinstance(told, dict):
        return None
    parts = cast("dict[str, object]", told)
    return ToolFailure(
        type=_text(parts.get("type"))[:200],
        message=_text(parts.get("message"))[:4100],
        traceback=_text(parts.get("traceback"))[:8100],
    )


def _spans(told: object) -> list[Mapping[str, Any]]:
    """Only spans that have the shape the trace needs; a tool can write others, and they are left out."""
    found: list[Mapping[str, Any]] = []
    for each in cast("list[object]", told) if isinstance(told, list) else []:
        if not isinstance(each, dict):
            continue
        span = cast("dict[str, Any]", each)
        start, end, attributes = span.get("start_ns"), span.get("end_ns"), span.get("attributes")
        if isinstance(start, int) and isinstance(end, int) and isinstance(attributes, dict):
            kept = cast("dict[str, Any]", attributes)
            plain = {key: value for key, value in kept.items() if isinstance(value, (str, bool, int, float))}
            found.append(
                {
                    "name": _text(span.get("name"))[:200] or "span",
                    "start_ns": max(0, start),
                    "end_ns": max(0, start, end),
                    "attributes": plain,
                    "error": _text(span.get("error"))[:200],
                }
            )
    return found


def _text(value: object) -> str:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else 0.0
