"""Every way of running one tool in a container that ``benchmarks.calls`` compares, ours among them."""

from __future__ import annotations

from benchmarks.peers.bwrap import BwrapPython
from benchmarks.peers.elsewhere import PROGRAMS, Elsewhere, peer_environment
from benchmarks.peers.engine import DockerExec, DockerRun, EngineExec, EngineRun
from benchmarks.peers.image import plain_image
from benchmarks.peers.ours import Answered, Ours, isolations
from benchmarks.peers.way import TOOLS, Timed, Tool, Way

__all__ = [
    "PROGRAMS",
    "TOOLS",
    "Answered",
    "BwrapPython",
    "DockerExec",
    "DockerRun",
    "Elsewhere",
    "EngineExec",
    "EngineRun",
    "Ours",
    "Timed",
    "Tool",
    "Way",
    "isolations",
    "peer_environment",
    "plain_image",
]
