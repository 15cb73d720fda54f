"""What is the same in every container, whichever kind of sandbox starts it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bailiwick.sandbox.egress.forwards import forwards
from bailiwick.sandbox.spec import Spec

__all__ = ["ENVIRONMENT", "IDLE", "RUNNER_PIDS", "runner_settings"]

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
"""Room beside the tool's own processes: the runner, what forwards for it, and the threads by which an OCI runtime
starts it."""


def runner_settings(spec: Spec, **more: Any) -> str:
    """The runner's one argument, as JSON: how long it waits, which spec it is started for, and how it serves."""
    settings: dict[str, Any] = {"idle": IDLE, "spec": spec.digest}
    if spec.isolation == "thread":
        settings["keep"] = True
    if spec.network:
        settings["egress"] = forwards(spec.network)
    return json.dumps(settings | more, separators=(",", ":"))
