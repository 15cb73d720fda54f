"""Bailiwick, as a tool sees it from inside its container.

``tool`` marks a function, ``span`` shows a step in the trace, ``secret`` gives a secret that the policy names,
``idempotency_key`` the key under which this call may be repeated and ``output`` the folder whose files are kept. Every
other public name is there and does nothing, so that a module which declares its policy beside its function can be
imported here too.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bailiwick.sandbox.inside import call_state

__all__ = ["idempotency_key", "output", "secret", "span", "tool"]


def tool(function: Any = None, **declared: Any) -> Any:
    """Mark a function as a tool; ``@tool`` and ``@tool(policy=...)`` are the same here."""
    if function is None:
        return tool
    call_state.tools.append(function)
    return function


@contextmanager
def span(name: str, **attributes: Any) -> Generator[dict[str, Any], None, None]:
    """Show a step of the tool in the trace; what is put into the mapping it gives becomes attributes."""
    begun = time.monotonic_ns()
    error = ""
    try:
        yield attributes
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        start, end = begun - call_state.started_ns, time.monotonic_ns() - call_state.started_ns
        call_state.send_span({"name": name, "start_ns": start, "end_ns": end, "attributes": attributes, "error": error})


def secret(name: str) -> str:
    """A secret by its name. Raises KeyError when the policy does not list it under ``sandbox.secrets``."""
    try:
        return call_state.secrets[name]
    except KeyError:
        raise KeyError(f"{name}: list it under sandbox.secrets in this tool's policy") from None


def idempotency_key() -> str:
    """The same for every try of one call, so that an effect can be made once; empty while a file is described."""
    return call_state.idempotency_key


def output() -> Path:
    """The folder whose files are taken back when the call returns, where the policy has ``sandbox.files.output``."""
    return Path("/tmp/output")  # noqa: S108


class _Names(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Inert()


class _Inert(metaclass=_Names):
    """Stands in for a name that only means something on the host: to be called, looked into or derived from."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _Inert()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Inert()


def __getattr__(name: str) -> Any:
    if name.startswith("_") or not name[0].isupper():
        raise AttributeError(f"bailiwick has no {name!r} inside a sandbox; there are: {', '.join(__all__)}")
    return _Inert
