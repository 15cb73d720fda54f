"""``make demo`` from nothing, without a terminal: what it promises is what it prints, and every trace is in Phoenix."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.phoenix


@pytest.fixture
def fresh_copy(project_root: Path) -> Path:
    shutil.rmtree(project_root / "data")
    shutil.copytree(ROOT / "demo", project_root / "demo", ignore=shutil.ignore_patterns("__pycache__"))
    return project_root


def demo(folder: Path, endpoint: str, sandbox: str) -> str:
    environment = {**os.environ, "PHOENIX_COLLECTOR_ENDPOINT": endpoint, "BAILIWICK_SANDBOX": sandbox}
    done = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_shows_everything_it_promises(fresh_copy: Path, phoenix: Any, sandbox_kind: str) -> None:
    shown = demo(fresh_copy, phoenix.endpoint, sandbox_kind)
    squeezed = " ".join(shown.split())
    for promised in (
        "harbour-lantern-manual.pdf, page 2",
        "allow lookup_order(order_id='ORD-000131'",
        "20.00 euro of ORD-000124 are on their way",
        "approved by mara",
        "64.50 euro of ORD-000128 are on their way",
        "amount=714.0, reason='asked for by the customer') no rule matches",
        "deny find_orders(customer_id='C-1001')",
        "this conversation has read untrusted content ('read_attachment')",
        "That comes to 78.11",
        "error path new",
        f"ok in a fresh {sandbox_kind} container",
        "12 messages answered, 12 with citations; 14 tool calls: 10 allowed, 1 asked, 3 denied",
        "every trace is in Phoenix",
    ):
        assert promised in squeezed, f"{promised!r} is missing in\n{shown}"

    links = re.findall(r"/redirects/traces/([0-9a-f]{32})", shown)
    stored = {span["context"]["trace_id"] for span in phoenix.all_spans("bailiwick", trace_ids=links)}
    assert set(links) == stored
    assert len(links) == 13  # twelve messages, one of them in two turns

    again = demo(fresh_copy, phoenix.endpoint, sandbox_kind)
    assert "0 passages added" in again
    assert "0 of them new" in again
