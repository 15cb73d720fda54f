"""The link that the command line prints opens the turn in Phoenix's own pages, in a real browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.phoenix, pytest.mark.bubblewrap]

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SCREENSHOTS = os.environ.get("BAILIWICK_SCREENSHOTS")
"""A folder to put what the browser showed in; docs/images holds what it gave."""


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*FLAGS, "--disable-sync"])
        yield browser.new_page(viewport={"width": 1500, "height": 900})
        browser.close()


def test_the_printed_link_opens_the_failing_call(project_root: Path, phoenix: Any, page: Page) -> None:
    environment = {
        **os.environ,
        "PHOENIX_COLLECTOR_ENDPOINT": phoenix.endpoint,
        "BAILIWICK_SANDBOX": "bubblewrap",
        "BAILIWICK_PROJECT": "browser",
    }
    question = "What does it cost to send 2.5 kg to Iceland?"
    asked = subprocess.run(
        [Path(sys.executable).with_name("bailiwick"), "ask", "support", question, "--user", "C-1003", "--json"],
        cwd=project_root, env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    turn = json.loads(asked.stdout)

    page.goto(turn["trace_link"])
    tool = page.get_by_text("execute_tool shipping_quote").first
    expect(tool).to_be_visible(timeout=60_000)
    for name in ("turn support", "policy quote", "sandbox.run"):
        expect(page.get_by_text(name).first).to_be_visible()
    tool.click()
    expect(page.get_by_text("new_error_path").first).to_be_visible(timeout=30_000)
    if SCREENSHOTS:
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(SCREENSHOTS) / "trace.png")
