"""``bailiwick up`` starts what a project needs, says when it stands, and Ctrl-C leaves nothing running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.phoenix, pytest.mark.bubblewrap]


def test_it_stands_and_is_stopped_by_ctrl_c(project_root: Path, free_port: int) -> None:
    command = [Path(sys.executable).with_name("bailiwick"), "up", "--port", str(free_port), "--json"]
    environment = {**os.environ, "BAILIWICK_SANDBOX": "bubblewrap"}
    with subprocess.Popen(command, cwd=project_root, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        ready = json.loads(running.stdout.readline())
        assert ready == {
            "phoenix": f"http://127.0.0.1:{free_port}",
            "sandbox": "bubblewrap",
            "project": str(project_root),
        }
        assert httpx.get(f"{ready['phoenix']}/healthz").status_code == 200
        assert (project_root / ".bailiwick/knowledge/rag.db").is_file()
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{ready['phoenix']}/healthz")


def test_a_taken_port_is_said_at_once(project_root: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [Path(sys.executable).with_name("bailiwick"), "up", "--port", port]
        done = subprocess.run(command, cwd=project_root, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "fix:" in done.stderr
