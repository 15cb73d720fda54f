"""Containers of a Docker Engine."""

from bailiwick.sandbox.docker.engine import DockerEngine, connect

__all__ = ["DockerEngine", "connect"]
