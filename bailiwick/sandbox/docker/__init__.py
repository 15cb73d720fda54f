"""Containers of a Docker Engine."""

from bailiwick.sandbox.docker.client import EngineGone, connect
from bailiwick.sandbox.docker.engine import DockerEngine

__all__ = ["DockerEngine", "EngineGone", "connect"]
