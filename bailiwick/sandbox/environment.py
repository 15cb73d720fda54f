"""What is the same in every container, whichever kind of sandbox starts it."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ENVIRONMENT", "IDLE", "RUNNER_PIDS"]

ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108
    "TMPDIR": "/tmp",  # noqa: S108
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""All that the processes inside find in their environment: no secret, and nothing of the host's."""
IDLE = 600
"""Seconds after which a runner that nobody calls ends by itself."""
RUNNER_PIDS = 4
"""Room beside the tool's own processes: the runner, and the threads by which an OCI runtime starts it."""
