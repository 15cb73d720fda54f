"""Who keeps memory, processes and CPU within the spec: a cgroup where one can be made, else a thread that looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from bailiwick.sandbox.bubblewrap.cgroup import CgroupLimiter, open_cgroups
from bailiwick.sandbox.bubblewrap.watching import WatchingLimiter
from bailiwick.sandbox.spec import Spec

__all__ = ["Guard", "Limiter", "choose_limiter"]


class Guard(Protocol):
    """The limits of one container."""

    @property
    def rlimits(self) -> Mapping[str, int]:
        """Limits that the tool's own process must take, named without RLIMIT_."""
        ...

    def limits(self) -> Mapping[str, object]:
        """The limits as the kernel has them; ``{"watched": True}`` where a thread keeps them."""
        ...

    def overstepped(self) -> bool:
        """Whether something was killed for memory."""
        ...

    def close(self) -> None:
        """Stop; the container has ended. Safe to call twice."""
        ...


class Limiter(Protocol):
    """Puts containers under limits."""

    @property
    def name(self) -> str: ...

    @property
    def exact(self) -> bool:
        """Whether the kernel keeps every limit. If not, a tool may overstep for a moment, and CPU is not shared out."""
        ...

    def guard(self, pid: int, spec: Spec, kill: Callable[[], None]) -> Guard:
        """Put ``pid``, which has not run yet, and all its children under the limits of ``spec``."""
        ...


def choose_limiter(wanted: Literal["auto", "cgroup", "watching"] = "auto") -> Limiter:
    """The strongest limiter there is here. Raises OSError when ``cgroup`` is wanted and none can be made."""
    if wanted != "watching":
        try:
            return CgroupLimiter(open_cgroups())
        except OSError:
            if wanted == "cgroup":
                raise
    return WatchingLimiter()
