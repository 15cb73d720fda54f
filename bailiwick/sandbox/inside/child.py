"""The process in which a tool's code runs: without the protocol's descriptors, with an answer to give and an end.

It speaks to the runner over one pipe, in frames: any number of spans, then one answer. The tool's code can write to
that pipe as well, which gains it nothing: the runner takes from it only what a tool may say anyway.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import inspect
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from bailiwick.sandbox.inside import call_state, process, wire
from bailiwick.sandbox.inside.describe import DescribeError, coerce_arguments, describe_function
from bailiwick.sandbox.inside.told import SPANS

__all__ = ["become_tool"]

_MESSAGE, _TRACEBACK, _ATTRIBUTE = 4_000, 8_000, 500
_OPEN_FILES = 256
_LINGER = 0.2
_OWN = str(Path(__file__).parent)


def become_tool(
    first: Mapping[str, Any], *, report: int, out: int, err: int, order: int, environment: Mapping[str, str]
) -> NoReturn:
    """Read a call from ``order``, do it, tell it on ``report`` and end. Never returns, whatever the tool does.

    ``first`` is the call, or names the file to import before it. Secrets come last: nothing that was forked before has
    them in its memory, and the runner never reads them.
    """
    try:
        os.setsid()
        for descriptor, stream in ((out, 1), (err, 2)):
            os.dup2(descriptor, stream)
        _keep_only({report, order})
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        process.unseal()
        process.be_first_to_be_killed()
        _limit(first["rlimits"])
        _prepare(environment)
        module = None
        if first["op"] == "load":
            module = _load(first["file"])
            _warm()
            _send(report, {"loaded": True})
        call = wire.read_frame(lambda size: _exactly(order, size), wire.REQUEST_BYTES)
        secrets = (
            wire.read_frame(lambda size: _exactly(order, size), wire.REQUEST_BYTES) if call["secret_bytes"] else {}
        )
        os.close(order)
        _know(call, secrets.get("secrets", {}), report)
        answer = _describe(call) if call["op"] == "describe" else _call(call, module)
        _flush()
        _send(report, answer)
        # What it has used is looked at, and then it is ended. Where the tool has spoilt its own answer, it ends itself.
        time.sleep(_LINGER)
    finally:
        os._exit(0)


def _warm() -> None:
    """Do once, before the call, what every call does: after a fork the first touch of a page is a fault."""
    wire.decode(wire.encode({"value": [0, 0.5, "", None]})[wire.HEADER.size :])
    for function in call_state.tools:
        with contextlib.suppress(Exception):
            coerce_arguments(function, {})
    gc.collect()
    gc.freeze()  # a collection in the call would touch, and so copy, every page that is shared with the runner


def _keep_only(kept: set[int]) -> None:
    """Close every other descriptor above stderr."""
    last = 2
    for descriptor in sorted(number for number in kept if number > last):
        os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, 4096)


def _exactly(descriptor: int, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = os.read(descriptor, size - len(parts))
        if not part:
            os._exit(0)  # the runner has gone
        parts += part
    return bytes(parts)


def _limit(more: Mapping[str, int]) -> None:
    """``more`` are limits that the host cannot keep by a cgroup, by their names without RLIMIT_."""
    files = min(_OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    for name, value in {"CORE": 0, "NOFILE": files, **more}.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _prepare(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    if Path("/site").is_dir():
        sys.path.append("/site")
    os.chdir("/work" if Path("/work").is_dir() else "/")


def _know(call: Mapping[str, Any], secrets: Mapping[str, str], report: int) -> None:
    """Give the call what is its own: before it, a module that is being imported finds no secret and no span."""
    call_state.secrets = secrets
    call_state.idempotency_key = call["idempotency_key"]
    call_state.started_ns = call["started_ns"]
    left = SPANS

    def send_span(span: dict[str, Any]) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            _send(report, {"span": _plain_span(span)})

    call_state.send_span = send_span


def _load(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("tool_file", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tool_file"] = module  # before it runs: a dataclass looks its own module up while it is being made
    spec.loader.exec_module(module)
    return module


def _call(call: Mapping[str, Any], module: ModuleType | None) -> dict[str, Any]:
    try:
        function = _function(module or _load(call["file"]), call["function"])
        value = function(**coerce_arguments(function, call["args"]))
        if inspect.iscoroutine(value):
            import asyncio  # here, since it is two thirds of what a container imports, and most tools do not need it

            value = asyncio.run(value)
    except BaseException as error:
        return {"failure": _failure(error)}
    return _value(value)


def _function(module: ModuleType, name: str) -> Callable[..., Any]:
    function = next((found for found in call_state.tools if found.__name__ == name), None)
    if function is None:
        raise LookupError(f"no function {name!r} under @tool is in {Path(module.__file__ or '').name}")
    return function


def _value(value: Any) -> dict[str, Any]:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        told = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        message = f"the tool returned what JSON cannot carry ({type(value).__name__}): {told}"
        return {"failure": {"type": "ResultNotJSON", "message": wire.clean(message, _MESSAGE), "traceback": ""}}
    if wire.depth_exceeds(text, wire.DEPTH - 2):  # the frame and the reply around it are levels too
        message = f"the tool returned something nested deeper than {wire.DEPTH - 2} levels"
        return {"failure": {"type": "ResultNotJSON", "message": message, "traceback": ""}}
    return {"value": value}


def _describe(call: Mapping[str, Any]) -> dict[str, Any]:
    """Every tool of the file, or the first problem: ``{problem: {message, line, fix}}``."""
    file = call["file"]
    try:
        _load(file)
        return {"value": {"tools": [describe_function(function) for function in call_state.tools]}}
    except DescribeError as error:
        return {"value": {"problem": {"message": error.message, "line": error.line, "fix": error.fix}}}
    except BaseException as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        line = error.lineno if isinstance(error, SyntaxError) and error.filename == file else None
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        problem = {
            "message": wire.clean(f"it cannot be imported: {type(error).__name__}: {_text(error)}", _MESSAGE),
            "line": line or (lines[-1] if lines else None),
            "missing": missing,
        }
        return {"value": {"problem": problem}}


def _failure(error: BaseException) -> dict[str, str]:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_OWN)]
    told = "".join(traceback.format_list(frames[-30:]))
    return {
        "type": wire.clean(type(error).__name__, 200),
        "message": wire.clean(_text(error), _MESSAGE),
        "traceback": wire.clean(told[-_TRACEBACK:], _TRACEBACK),
    }


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as again:
        return f"(its text cannot be read: {type(again).__name__})"


def _plain_span(span: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {
        wire.clean(str(key), 100): value
        if isinstance(value, (bool, int, float))
        else wire.clean(str(value), _ATTRIBUTE)
        for key, value in list(span["attributes"].items())[:16]
    }
    return {**span, "name": wire.clean(str(span["name"]), 200), "attributes": attributes}


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()


def _send(report: int, message: dict[str, Any]) -> None:
    try:
        data = wire.encode(message)
    except (TypeError, ValueError):  # NaN in a span's attribute, a surrogate in a dictionary key
        return
    while data:
        data = data[os.write(report, data) :]
