"""Phoenix as a child: found when it is there, started when it is not, gone when we are."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bailiwick import tracing
from bailiwick.errors import TracingError
from bailiwick.tracing import PhoenixServer, diagnose_phoenix, phoenix_endpoint, span

CHROMIUM = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update"


@pytest.mark.phoenix
def test_one_that_answers_is_used_and_left_alone(phoenix: Any, tmp_path: Path) -> None:
    began = time.monotonic()
    with PhoenixServer.start(tmp_path, endpoint=phoenix.endpoint) as other:
        assert not other.ours
        assert other.wait_ready(5).startswith("20.")
        assert time.monotonic() - began < 2
    assert phoenix.client.projects.list()


@pytest.mark.phoenix
def test_it_ends_with_its_parent_however_that_ends(free_port: int, tmp_path: Path) -> None:
    parent = f"""
import time
from pathlib import Path
from bailiwick.tracing import PhoenixServer
server = PhoenixServer.start(Path({str(tmp_path)!r}), endpoint="http://127.0.0.1:{free_port}")
print(server.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        os.kill(child, 0)

        beside = PhoenixServer.start(tmp_path, endpoint=f"http://127.0.0.1:{free_port}")
        assert not beside.ours, "two processes start one Phoenix between them"
        beside.stop()

        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 20
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < until, "the child lives on"
        time.sleep(0.1)


@pytest.mark.phoenix
def test_it_is_started_at_once_and_stopped_before_it_is_ready(free_port: int, tmp_path: Path) -> None:
    began = time.monotonic()
    server = PhoenixServer.start(tmp_path, endpoint=f"http://127.0.0.1:{free_port}")
    assert time.monotonic() - began < 2
    assert server.ours
    with pytest.raises(TracingError, match="does not answer"):
        server.wait_ready(timeout=0.3)
    server.stop()
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid or 0, 0)


def test_a_port_that_something_else_has_is_one_clear_error(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(TracingError, match="not Phoenix") as raised:
            PhoenixServer.start(tmp_path, endpoint=f"http://127.0.0.1:{other.server_port}")
        assert raised.value.fix is not None
        assert "--port" in raised.value.fix
        other.shutdown()
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(TracingError, match="not Phoenix"):
        PhoenixServer.start(tmp_path, endpoint=f"http://127.0.0.1:{mute.getsockname()[1]}")


def test_where_phoenix_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHOENIX_COLLECTOR_ENDPOINT")
    assert phoenix_endpoint() == "http://127.0.0.1:6006"
    assert phoenix_endpoint(7007) == "http://127.0.0.1:7007"
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", "https://phoenix.example/v1/traces/ ")
    assert phoenix_endpoint(7007) == "https://phoenix.example"


@pytest.mark.names_outside
def test_a_phoenix_elsewhere_is_waited_for_and_never_started(tmp_path: Path) -> None:
    with PhoenixServer.start(tmp_path, endpoint="http://phoenix.invalid:6006") as server:
        assert not server.ours
        with pytest.raises(TracingError, match="does not answer"):
            server.wait_ready(timeout=0.1)


@pytest.mark.phoenix
def test_the_doctor_sees_it(phoenix: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", phoenix.endpoint)
    installed, answering = diagnose_phoenix()
    assert (installed.ok, answering.ok) == (True, True)
    assert phoenix.endpoint in answering.detail
    monkeypatch.setenv("PHOENIX_COLLECTOR_ENDPOINT", "http://127.0.0.1:9")
    nobody = diagnose_phoenix()[1]
    assert not nobody.ok
    assert "bailiwick up" in nobody.fix


@pytest.mark.phoenix
@pytest.mark.browser
def test_the_links_open_the_trace_and_the_span(phoenix: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    with tracing.configure(endpoint=phoenix.endpoint, project="links", spool=tmp_path) as traces:
        with span("turn support", "AGENT"), span("execute_tool refund_order", "TOOL") as tool:
            tool.fail("denied", "nobody may have this")
        assert traces.flush(20)
        to_trace, to_span = traces.trace_link(tool.trace_id), traces.span_link(tool.span_id)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM.split())
        page = browser.new_page()
        page.goto(to_trace)
        expect(page.get_by_text("execute_tool refund_order").first).to_be_visible(timeout=30_000)
        expect(page.get_by_text(tool.trace_id).first).to_be_visible()
        page.goto(to_span)
        expect(page.get_by_text("nobody may have this").first).to_be_visible(timeout=30_000)
        browser.close()
