"""A Phoenix server as a child of this process, or one that runs already."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from bailiwick.errors import TracingError
from bailiwick.tracing import phoenix_child
from bailiwick.tracing.phoenix_http import PhoenixHttp, is_here

__all__ = ["INSTALL", "PhoenixServer", "installed_version", "phoenix_endpoint"]

INSTALL = "pip install 'bailiwick[phoenix]'"

TOLD_EVERY = 5.0
STOP = 10.0
"""Seconds that Phoenix has to end by itself."""


def phoenix_endpoint(port: int = 6006) -> str:
    """Where Phoenix is: ``PHOENIX_COLLECTOR_ENDPOINT`` where it is set, else ``port`` of this machine."""
    given = os.environ.get("PHOENIX_COLLECTOR_ENDPOINT", "").strip().rstrip("/")
    return given.removesuffix("/v1/traces") or f"http://127.0.0.1:{port}"


def installed_version() -> str | None:
    """The version of the Phoenix server that is installed here, without importing it, which takes seconds."""
    try:
        return version("arize-phoenix")
    except PackageNotFoundError:
        return None


class PhoenixServer:
    """A Phoenix server: ours, or another's that is only used. Made by ``start``; a context manager.

    Keep it as long as the server is to run: a child ends when nobody holds it any more.
    """

    def __init__(
        self, *, endpoint: str, child: subprocess.Popen[bytes] | None, log: Path, lock: FileLock | None
    ) -> None:
        self.endpoint = endpoint
        self.log = log
        self._child = child
        self._lock = lock

    @classmethod
    def start(cls, folder: Path, *, endpoint: str | None = None) -> PhoenixServer:
        """See to it that a Phoenix will answer at ``endpoint`` (None: ``phoenix_endpoint()``), and return at once.

        One that answers there is used as it is; so is one that another process is starting in ``folder``, and one on
        another machine. Otherwise Phoenix is started as a child, with its database and its log in ``folder``, for this
        machine only, without telemetry and without anything fetched from elsewhere. It takes about 20 seconds.

        Raises TracingError when the port is taken by something else, or Phoenix is not installed.
        """
        endpoint = (endpoint or phoenix_endpoint()).rstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "phoenix.log"
        if _answering(endpoint) or not is_here(endpoint):
            return cls(endpoint=endpoint, child=None, log=log, lock=None)
        lock = FileLock(folder / "phoenix.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return cls(endpoint=endpoint, child=None, log=log, lock=None)
        try:
            return cls(endpoint=endpoint, child=_start_child(folder, endpoint, log), log=log, lock=lock)
        except BaseException:
            lock.release()
            raise

    @property
    def ours(self) -> bool:
        """Whether this process started it, and stops it."""
        return self._child is not None

    @property
    def pid(self) -> int | None:
        """The child's process id, or None when the server is another's."""
        return None if self._child is None else self._child.pid

    def wait_ready(self, timeout: float = 120.0, on_progress: Callable[[str], None] | None = None) -> str:
        """Wait until it answers, for at most ``timeout`` seconds, and return its version.

        Raises TracingError when it ends instead or does not answer in time.
        """
        began = time.monotonic()
        told = began
        while True:
            if answering := _answering(self.endpoint):
                if self._child is not None and self._child.poll() is not None:
                    self._child = None  # Another process was quicker to the port; its Phoenix does as well.
                return answering
            self.check()
            now = time.monotonic()
            if now - began > timeout:
                raise TracingError(
                    f"Phoenix does not answer at {self.endpoint} after {timeout:.0f} s",
                    fix=f"look into {self.log}" if self.ours else "start it, or correct PHOENIX_COLLECTOR_ENDPOINT",
                )
            if on_progress is not None and now - told >= TOLD_EVERY:
                told = now
                on_progress(f"Phoenix is starting ({now - began:.0f} s; it takes about 20)")
            time.sleep(0.2)

    def check(self) -> None:
        """Raise TracingError when the child has ended by itself, with the last it said."""
        if self._child is None or self._child.poll() is None:
            return
        raise TracingError(
            f"Phoenix ended by itself with code {self._child.returncode}: {_last_line(self.log)}",
            fix=f"look into {self.log}",
        )

    def stop(self) -> None:
        """End the child, politely first; another's server is left alone. Safe to call twice."""
        if self._child is not None:
            if self._child.poll() is None:
                self._child.terminate()
                try:
                    self._child.wait(STOP)
                except subprocess.TimeoutExpired:
                    self._child.kill()
                    self._child.wait()
            if self._child.stdin is not None:
                self._child.stdin.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> PhoenixServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _answering(endpoint: str) -> str:
    """The version of the Phoenix that answers, or an empty string. Raises TracingError when something else does."""
    phoenix = PhoenixHttp(endpoint, timeout=2.0)
    found = phoenix.version()
    phoenix.close()
    if found == "":
        raise _taken(endpoint)
    return found or ""


def _taken(endpoint: str) -> TracingError:
    return TracingError(
        f"something that is not Phoenix has the port of {endpoint}",
        fix="stop it, or choose another port: bailiwick up --port N, or PHOENIX_COLLECTOR_ENDPOINT=http://127.0.0.1:N",
    )


def _start_child(folder: Path, endpoint: str, log: Path) -> subprocess.Popen[bytes]:
    if installed_version() is None:
        raise TracingError("Phoenix is not installed here", fix=INSTALL)
    port = urlsplit(endpoint).port or 80
    if not _free(port):
        raise _taken(endpoint)
    environment = {
        **os.environ,
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
        "PHOENIX_WORKING_DIR": str(folder.resolve()),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(_free_port()),
        "PYTHONUNBUFFERED": "1",
    }
    with log.open("wb") as out:
        return subprocess.Popen(  # noqa: S603  our own program, by its path
            # -P: the folder of the program is this room, whose names must not hide those of libraries.
            [sys.executable, "-P", phoenix_child.__file__],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            # Ctrl-C in a terminal goes to us, and we stop it when its last spans are there.
            start_new_session=True,
        )


def _free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    """A port for Phoenix's gRPC, which it insists on and nobody uses here."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "its log is gone"
    return lines[-1][:300] if lines else "it said nothing"
