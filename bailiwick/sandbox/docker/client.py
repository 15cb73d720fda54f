"""The Engine API calls that are made, with their types: docker-py has none. The low-level client is used as it is."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import IO, Any, Protocol, cast

import docker
import docker.errors
import requests

from bailiwick.errors import SandboxUnavailable

__all__ = [
    "API_VERSION",
    "ContainerNotFound",
    "EngineClient",
    "EngineGone",
    "ImageNotFound",
    "connect",
    "first_line",
    "unavailable",
]

API_VERSION = "1.41"
"""Docker 20.10, the oldest that is tested; what is asked of an engine is in this version's words."""

_CONNECTIONS = 64
"""Kept open at most; as many as calls that may be in flight."""
_DEFAULT_HOST = "unix:///var/run/docker.sock"

EngineGone: tuple[type[Exception], ...] = (docker.errors.DockerException, requests.RequestException, OSError)
"""What the client raises when the engine refuses or does not answer."""
ContainerNotFound: type[Exception] = docker.errors.NotFound
ImageNotFound: type[Exception] = docker.errors.ImageNotFound


class EngineClient(Protocol):
    """docker-py's ``APIClient``, as far as it is used here."""

    def info(self) -> dict[str, Any]: ...
    def version(self) -> dict[str, Any]: ...
    def close(self) -> None: ...
    def inspect_image(self, image: str) -> dict[str, Any]: ...
    def import_image_from_data(self, data: IO[bytes], repository: str) -> str: ...
    def create_container(self, **arguments: Any) -> dict[str, Any]: ...
    def attach_socket(self, container: str, params: Mapping[str, int]) -> Any: ...
    def start(self, container: str) -> None: ...
    def kill(self, container: str, signal: str) -> None: ...
    def inspect_container(self, container: str) -> dict[str, Any]: ...
    def containers(self, *, all: bool, filters: Mapping[str, str]) -> Sequence[dict[str, Any]]: ...
    def remove_container(self, container: str, *, force: bool, v: bool) -> None: ...


def connect(timeout: int = 30) -> EngineClient:
    """A client of the engine that ``DOCKER_HOST`` or the default socket leads to. Raises SandboxUnavailable."""
    _knock()
    try:
        # The engine says which version it speaks: new ones refuse the old, old ones do not know the new.
        client = cast("Any", docker).from_env(version="auto", timeout=timeout, max_pool_size=_CONNECTIONS)
        return cast("EngineClient", client.api)
    except EngineGone as error:
        raise unavailable(error) from None


def _knock() -> None:
    """Connect to a local engine's socket and hang up: the client would leave its own socket open when that fails."""
    host = os.environ.get("DOCKER_HOST") or _DEFAULT_HOST
    if host.startswith("unix://"):
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.connect(host.removeprefix("unix://"))
        except OSError as error:
            raise unavailable(OSError(error.errno, error.strerror, host)) from None


def unavailable(error: BaseException) -> SandboxUnavailable:
    """The error to raise when an engine does not answer, with what would help."""
    denied = isinstance(error, PermissionError)
    return SandboxUnavailable(
        f"no Docker Engine answers: {first_line(error)}",
        fix="usermod -aG docker $USER, and log in again" if denied else "start it: systemctl start docker",
    )


def first_line(error: BaseException) -> str:
    """What an engine's error says, on one line."""
    told = str(getattr(error, "explanation", None) or error).strip()
    return told.splitlines()[0] if told else type(error).__name__
