"""Docker itself: a container for each call by its command and by its API, and a process in one that runs."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from typing import Any

import docker
import docker.errors

from benchmarks.peers.way import CODE, Timed, Tool, run_command, timed

__all__ = ["DockerExec", "DockerRun", "EngineExec", "EngineRun"]


def docker_command() -> str:
    found = shutil.which("docker")
    if found is None:
        raise RuntimeError("there is no docker command (Debian: apt-get install docker.io)")
    return found


class DockerRun:
    """``docker run --rm``: a fresh container for each call, without a network, which is quicker than with one."""

    name = "docker run"
    fresh = True

    def __init__(self, image: str, *, every: int) -> None:
        self._image, self.every = image, every
        self._docker = docker_command()

    async def open(self) -> None: ...

    async def call(self, tool: Tool) -> Timed:
        command = [self._docker, "run", "--rm", "--network", "none", self._image, "python", "-c", CODE[tool]]
        return await asyncio.to_thread(timed, lambda: run_command(command))

    async def close(self) -> None: ...


class EngineRun:
    """The same by the Engine's API, without the command's own start: create, start, wait, read, remove."""

    name = "Engine API, a container a call"
    fresh = True

    def __init__(self, image: str, *, every: int) -> None:
        self._image, self.every = image, every
        self._client: Any = docker.from_env().api

    async def open(self) -> None: ...

    async def call(self, tool: Tool) -> Timed:
        return await asyncio.to_thread(timed, lambda: self._run(CODE[tool]))

    def _run(self, code: str) -> str:
        made = self._client.create_container(self._image, ["python", "-c", code], network_disabled=True)
        try:
            self._client.start(made["Id"])
            self._client.wait(made["Id"])
            return self._client.logs(made["Id"]).decode()
        finally:
            self._client.remove_container(made["Id"], force=True)

    async def close(self) -> None:
        self._client.close()


class _Running:
    """A container that runs and does nothing, for processes to be started in."""

    fresh = False
    every = 1

    def __init__(self, image: str) -> None:
        self._image = image
        self._client: Any = docker.from_env().api
        self._container = ""

    async def open(self) -> None:
        await asyncio.to_thread(self._open)

    def _open(self) -> None:
        waiting = ["python", "-c", "import signal; signal.pause()"]
        self._container = self._client.create_container(self._image, waiting, network_disabled=True)["Id"]
        self._client.start(self._container)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self._container:
            with contextlib.suppress(docker.errors.NotFound):
                self._client.remove_container(self._container, force=True)
        self._client.close()


class DockerExec(_Running):
    """``docker exec`` of a fresh interpreter in a container that runs on."""

    name = "docker exec"

    async def call(self, tool: Tool) -> Timed:
        command = [docker_command(), "exec", self._container, "python", "-c", CODE[tool]]
        return await asyncio.to_thread(timed, lambda: run_command(command))


class EngineExec(_Running):
    """The same by the Engine's API."""

    name = "Engine API, exec"

    async def call(self, tool: Tool) -> Timed:
        return await asyncio.to_thread(timed, lambda: self._exec(CODE[tool]))

    def _exec(self, code: str) -> str:
        made = self._client.exec_create(self._container, ["python", "-c", code])
        return self._client.exec_start(made["Id"]).decode()
