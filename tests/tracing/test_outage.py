"""Phoenix late, killed, restarted or never there: turns go on, and what can be delivered is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bailiwick import tracing
from bailiwick.errors import TracingError
from bailiwick.tracing import ErrorPath, ErrorWatch, PhoenixServer, span

PATH = ErrorPath(agent="a", node="act", tool="t", error_type="boom", exit_cause="error", outcome="recovered")


def turns(count: int) -> set[str]:
    """The span ids of so many small turns."""
    ids: set[str] = set()
    for _ in range(count):
        with span("turn", "AGENT", {"input.value": "x" * 500}) as turn, span("think", "CHAIN") as inner:
            ids |= {turn.span_id, inner.span_id}
    return ids


@pytest.mark.phoenix
def test_spans_outlive_a_phoenix_that_is_late_and_one_that_is_killed(
    free_port: int, tmp_path: Path, caplog: pytest.LogCaptureFixture, read_back: Any
) -> None:
    endpoint = f"http://127.0.0.1:{free_port}"
    with (
        tracing.configure(endpoint=endpoint, project="outage", spool=tmp_path / "spool") as traces,
        ErrorWatch.open(tmp_path / "errors.db", endpoint=endpoint) as watch,
    ):
        # Nobody is there.
        written = turns(200)
        with span("execute_tool t", "TOOL") as failed:
            watch.saw(PATH, failed, "boom")
        written.add(failed.span_id)
        began = time.monotonic()
        assert not traces.flush(30)
        assert time.monotonic() - began < 5, "it does not wait for what is not there"
        assert traces.waiting == len(written)

        # Phoenix comes late.
        with PhoenixServer.start(tmp_path / "phoenix", endpoint=endpoint) as server:
            server.wait_ready(180)
            assert traces.flush(60, patient=True)
            assert watch.flush(30)
            phoenix = read_back(server)
            assert {one["context"]["span_id"] for one in phoenix.all_spans("outage")} == written
            assert len(phoenix.annotations("outage", failed.span_id)) == 1

            # It is killed while spans that it has acknowledged wait to be stored.
            load = threading.Thread(target=lambda: written.update(turns(1500)))
            load.start()
            time.sleep(0.7)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            load.join()
            assert not traces.flush(10)
            with pytest.raises(TracingError, match="ended by itself"):
                for _ in range(50):
                    server.check()
                    time.sleep(0.1)

        with PhoenixServer.start(tmp_path / "phoenix", endpoint=endpoint) as server:
            server.wait_ready(180)
            assert traces.flush(120, patient=True)
            phoenix = read_back(server)
            stored = {one["context"]["span_id"] for one in phoenix.all_spans("outage")}
            assert stored == written
        assert traces.lost == 0
    assert [record.message for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


def test_a_full_spool_loses_the_oldest_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with tracing.configure(
        endpoint="http://127.0.0.1:9", project="full", spool=tmp_path / "spool", spool_bytes=200_000
    ) as traces:
        for _ in range(4):
            turns(256)
            traces.flush(5)
        assert sum(file.stat().st_size for file in (tmp_path / "spool").rglob("*.pb")) <= 200_000
        assert traces.lost > 0
        assert traces.lost + traces.waiting == 4 * 512
        assert not traces.flush(5)
    said = [record.message for record in caplog.records if "lost" in record.message]
    assert len(said) == 1
    assert "the oldest went first" in said[0]


def test_spans_of_a_killed_process_are_taken_over(tmp_path: Path) -> None:
    dies = f"""
import os, signal
from pathlib import Path
from bailiwick import tracing
traces = tracing.configure(endpoint="http://127.0.0.1:9", project="p", spool=Path({str(tmp_path)!r}))
with tracing.span("turn", "AGENT"):
    pass
traces.flush(5)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", dies], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (-signal.SIGKILL, "")
    with tracing.configure(endpoint="http://127.0.0.1:9", project="p", spool=tmp_path) as traces:
        assert traces.waiting == 1
        with tracing.configure(endpoint="http://127.0.0.1:9", project="p", spool=tmp_path) as other:
            assert other.waiting == 0, "what a living process holds is its own"


def test_a_process_that_ends_without_phoenix_is_quick_and_silent(tmp_path: Path) -> None:
    ends = f"""
import time
from pathlib import Path
from bailiwick import tracing
began = time.monotonic()
with tracing.configure(endpoint="http://127.0.0.1:9", project="p", spool=Path({str(tmp_path)!r})):
    with tracing.span("turn", "AGENT"):
        pass
print(time.monotonic() - began)
"""
    ended = subprocess.run([sys.executable, "-c", ends], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stderr == ""
    assert float(ended.stdout) < 3
    assert len(list(tmp_path.rglob("*.pb"))) == 1


def test_a_spool_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TracingError, match=r"file/spool: spans .* cannot be kept there"):
        tracing.configure(endpoint="http://127.0.0.1:9", project="p", spool=tmp_path / "file" / "spool")


@pytest.mark.phoenix
def test_a_broken_file_in_the_spool_stops_nothing(
    tmp_path: Path, phoenix: Any, caplog: pytest.LogCaptureFixture
) -> None:
    left = tmp_path / "1-dead"
    left.mkdir()
    (left / "000000000-3.pb").write_bytes(b"\xff no protobuf")
    (left / "000000001-x.pb").write_bytes(b"")
    with tracing.configure(endpoint=phoenix.endpoint, project="broken-file", spool=tmp_path) as traces:
        turns(1)
        assert not traces.flush(20), "three spans are gone, and that is said"
        assert traces.flush(20)
        assert traces.lost == 3
    assert "a file of the spool cannot be read" in caplog.text
    assert len(phoenix.all_spans("broken-file")) == 2
