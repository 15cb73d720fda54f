"""The host's side of one call: hear the runner, let it load, hand the call over, take the reply. Nothing is trusted."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from bailiwick.errors import SandboxFailed
from bailiwick.sandbox.inside import wire
from bailiwick.sandbox.spec import ExitCause, OutputFile, Request, Result, ToolFailure

__all__ = [
    "GRACE",
    "Channel",
    "ChannelEnded",
    "Hello",
    "NotHandedOver",
    "ask",
    "ask_to_load",
    "hear_loaded",
    "load",
    "wait_until_ready",
]

GRACE = 3.0
"""Seconds beyond the tool's own after which a runner that has not answered is given up."""
_READY_BYTES = 64 * 2**10
_LOAD_OUTPUT = 64 * 2**10
_CAUSES: tuple[ExitCause, ...] = ("ok", "error", "timeout", "oom", "signal", "output", "killed")


class ChannelEnded(Exception):
    """Raised when the other side has gone."""


class NotHandedOver(Exception):
    """Raised when the container had ended before the call was in it, so that the call did not begin."""


class Channel(Protocol):
    """Both directions of a runner's protocol. Blocking; used by one thread at a time."""

    def send(self, data: bytes, deadline: float) -> None:
        """Send everything. Raises ChannelEnded, and TimeoutError after ``deadline`` (monotonic seconds)."""
        ...

    def receive(self, size: int, deadline: float) -> bytes:
        """Exactly ``size`` bytes. Raises ChannelEnded, and TimeoutError after ``deadline``."""
        ...

    def silent(self) -> bool:
        """Whether the other side is there and has said nothing that was not yet received. Never waits."""
        ...


@dataclass(frozen=True, kw_only=True)
class Hello:
    """What a runner says when it is ready. An empty ``report``: it says nothing of its container."""

    spec: str
    report: Mapping[str, Any]


def wait_until_ready(channel: Channel, within: float) -> Hello:
    """What the runner says of itself. Raises SandboxFailed when it does not say it in time."""
    hello = _heard(channel, within, "the runner was not ready")
    report = hello.get("report")
    if hello.get("ready") != 1 or not isinstance(report, dict):
        raise SandboxFailed(f"the runner speaks another protocol: {str(hello)[:200]}")
    return Hello(spec=_text(hello.get("spec")), report=cast("dict[str, Any]", report))


def load(channel: Channel, file: str, *, rlimits: Mapping[str, int], within: float) -> bool:
    """Let the runner import ``file`` before the call; False: it cannot be, and the call will say why.

    Raises SandboxFailed when the runner does not answer.
    """
    ask_to_load(channel, file, rlimits=rlimits, within=within)
    return hear_loaded(channel, within=within)


def ask_to_load(channel: Channel, file: str, *, rlimits: Mapping[str, int], within: float) -> None:
    """The first half of ``load``, which does not wait."""
    wanted = {"op": "load", "file": file, "time": within, "output": _LOAD_OUTPUT, "rlimits": dict(rlimits)}
    try:
        channel.send(wire.encode(wanted), time.monotonic() + GRACE)
    except (ChannelEnded, TimeoutError):
        raise SandboxFailed("the container ended before its tool was loaded") from None


def hear_loaded(channel: Channel, *, within: float) -> bool:
    """The second half of ``load``. Raises SandboxFailed."""
    return _heard(channel, within + GRACE, "the tool was not loaded").get("loaded") is True


def _heard(channel: Channel, within: float, late: str) -> dict[str, Any]:
    deadline = time.monotonic() + within
    try:
        return wire.read_frame(lambda size: channel.receive(size, deadline), _READY_BYTES)
    except TimeoutError:
        raise SandboxFailed(f"{late} after {within:g} s") from None
    except (ChannelEnded, wire.WireError) as error:
        raise SandboxFailed(f"the runner did not start: {error}") from None


def ask(channel: Channel, request: Request, *, rlimits: Mapping[str, int]) -> Result:
    """Hand ``request`` over and give what came of it.

    Raises SandboxFailed for a request that no container takes, NotHandedOver when this one had ended. Afterwards every
    end is a result: a reply that is no reply is ``killed`` (or ``output``, when only its size is wrong), since nobody
    knows then what the tool did.
    """
    deadline = time.monotonic() + request.time + GRACE
    data = _frame(request, rlimits)
    try:
        channel.send(data, deadline)
    except (ChannelEnded, TimeoutError):
        raise NotHandedOver("it ended before the call") from None  # a frame that is not whole begins nothing
    try:
        return _result(wire.read_frame(lambda size: channel.receive(size, deadline), _reply_bytes(request)))
    except TimeoutError:
        return Result(cause="timeout", wall_ms=(request.time + GRACE) * 1000)
    except ChannelEnded:
        return Result(cause="killed")
    except wire.WireError as error:
        return Result(cause="killed", failure=ToolFailure(type="ReplyMalformed", message=f"the reply is {error}"))


def _frame(request: Request, rlimits: Mapping[str, int]) -> bytes:
    # Apart from the call, for the runner hands it on unread and wipes it: a later call of a conversation must find
    # nothing of it in the memory that it is forked from.
    secrets = wire.encode({"secrets": dict(request.secrets)}) if request.secrets else b""
    message: dict[str, Any] = {
        "op": request.op,
        "file": request.file,
        "function": request.function,
        "args": dict(request.args),
        "secret_bytes": len(secrets),
        "idempotency_key": request.idempotency_key,
        "time": request.time,
        "output": request.output,
        "files": request.files,
        "file_bytes": request.file_bytes,
        "traceparent": request.traceparent,
        "rlimits": dict(rlimits),
    }
    try:
        data = wire.encode(message)
    except (TypeError, ValueError) as error:
        raise SandboxFailed(f"the arguments are not JSON: {error}") from None
    if len(data) + len(secrets) > wire.REQUEST_BYTES:
        raise SandboxFailed(
            f"the call is {len(data)} bytes large, and {wire.REQUEST_BYTES} is the most a sandbox takes"
        )
    if wire.depth_exceeds(data[wire.HEADER.size :], wire.DEPTH):
        raise SandboxFailed(f"the arguments are nested deeper than {wire.DEPTH} levels")
    return data + secrets


def _reply_bytes(request: Request) -> int:
    # Bounded thrice by ``output`` (result, stdout, stderr); a control character takes six bytes in JSON.
    # Files come in base64, with their names.
    return 18 * request.output + 2**20 + request.file_bytes * 3 // 2 + request.files * 2**12


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
        files=tuple(_files(reply.get("files"))),
        files_left_out=tuple(_text(each)[:1000] for each in _list(reply.get("files_left_out"))),
    )


def _list(told: object) -> list[object]:
    return cast("list[object]", told) if isinstance(told, list) else []


def _files(told: object) -> list[OutputFile]:
    """Only files whose names stay below the folder that they are put into."""
    found: list[OutputFile] = []
    for each in _list(told):
        if not isinstance(each, dict):
            continue
        file = cast("dict[str, object]", each)
        name, data = _text(file.get("name")), _text(file.get("data"))
        parts = name.split("/")
        if len(name) > 1000 or not name.isprintable() or any(part in ("", ".", "..") for part in parts):
            continue
        if any(len(part.encode()) > 255 for part in parts):
            continue
        try:
            found.append(OutputFile(name=name, data=base64.b64decode(data, validate=True)))
        except (binascii.Error, ValueError):
            continue
    return found


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
    for each in _list(told):
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
