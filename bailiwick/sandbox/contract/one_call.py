"""An attempt that is one call, and a judge of its result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bailiwick.sandbox.contract.attack import Scene
from bailiwick.sandbox.contract.judges import Judge

__all__ = ["OneCall"]

_LATE = 2.5
"""Seconds beyond a call's own time by which its end must be known, with half a core."""


@dataclass(frozen=True, kw_only=True)
class OneCall:
    """Calls ``function`` of ``file`` under ``hostile/``; its end must be known in time, whatever the judge says."""

    file: str
    function: str
    judge: Judge
    args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seconds: float = 6.0
    memory: int = 96 * 2**20
    disk: int = 4 * 2**20
    writes: bool = False
    """Whether the scene's write folder is mounted."""

    async def __call__(self, scene: Scene) -> str:
        mounts = (scene.write_mount(),) if self.writes else ()
        spec = scene.spec(self.file, *mounts, memory=self.memory, disk=self.disk)
        begun = time.monotonic()
        result = await scene.call(self.file, self.function, self.args, spec=spec, seconds=self.seconds)
        took = time.monotonic() - begun - result.start_ms / 1000
        if wrong := self.judge(result):
            return wrong
        if took > self.seconds + _LATE:
            return f"its end was known after {took:.1f} s, and {self.seconds:g} s were given"
        return ""
