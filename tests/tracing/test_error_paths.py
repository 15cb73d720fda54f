"""A new way of going wrong is told from a known one, in every process, and Phoenix shows it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bailiwick import tracing
from bailiwick.tracing import ErrorPath, ErrorWatch, span

PATH = ErrorPath(
    agent="support", node="act", tool="refund_order", error_type="denied", exit_cause="after", outcome="recovered"
)


def test_a_fingerprint_is_the_same_everywhere_and_for_ever() -> None:
    assert PATH.fingerprint == "v1:a35a281f2dcd1af7"
    assert PATH.text == "support → act → refund_order: denied (after)"


def test_a_path_is_read_by_people() -> None:
    broken = ErrorPath(
        agent="support", node="turn", tool="", error_type="ModelUnavailable", exit_cause="", outcome="fatal"
    )
    assert broken.text == "support → turn: ModelUnavailable, fatal"


def test_no_text_of_a_message_gets_into_a_path() -> None:
    strange = ErrorPath(
        agent="support",
        node="act",
        tool="t",
        error_type="Bad 'ada@example.com', card 4111 " * 9,
        exit_cause="error",
        outcome="recovered",
    )
    assert len(strange.error_type) <= 80
    assert "@" not in strange.error_type


def test_from_new_to_known_to_resolved_to_regressed(tmp_path: Path) -> None:
    kept = InMemorySpanExporter()
    with (
        tracing.configure(endpoint=None, project="paths", also=kept),
        ErrorWatch.open(tmp_path / "errors.db") as watch,
    ):

        def sees(message: str) -> str:
            with span("execute_tool refund_order", "TOOL") as opened:
                return watch.saw(PATH, opened, message).state

        assert [sees("no order of ada@example.com"), sees("another text")] == ["new", "known"]
        [known] = watch.store.paths()
        assert (known.path, known.count, known.state) == (PATH, 2, "known")
        assert known.first_span_id != known.span_id
        assert known.message == "another text"

        assert watch.store.resolve(PATH.fingerprint)
        assert [sees("x"), sees("x")] == ["regressed", "known"]
        assert not watch.store.resolve("v1:unheard")
        assert watch.store.pending() == [], "there is no Phoenix to tell"

    first, second = kept.get_finished_spans()[:2]
    assert dict(first.attributes or {})["error.path.state"] == "new"
    assert dict(first.attributes or {})["error.fingerprint"] == PATH.fingerprint
    assert '"state": "known"' in dict(second.attributes or {})["metadata"]  # type: ignore[operator]

    with ErrorWatch.open(tmp_path / "errors.db") as later:
        found = later.store.path(PATH.fingerprint)
    assert found is not None
    assert found.count == 4


def test_of_several_processes_one_is_told_that_a_path_is_new(tmp_path: Path) -> None:
    sees = f"""
import sys
from pathlib import Path
from bailiwick.tracing import ErrorPath, ErrorWatch, span
watch = ErrorWatch.open(Path({str(tmp_path / "errors.db")!r}))
sys.stdin.read(1)
with span("execute_tool", "TOOL") as opened:
    for number in range(50):
        path = ErrorPath(agent="a", node="n", tool="t" + str(number), error_type="e", exit_cause="", outcome="fatal")
        print(watch.saw(path, opened).state)
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", sees], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("g")
        process.stdin.flush()
    told = [process.communicate(timeout=60)[0].split() for process in processes]
    assert all(process.returncode == 0 for process in processes)
    states = [state for states in told for state in states]
    assert (states.count("new"), states.count("known")) == (50, 100)


def test_a_store_that_cannot_be_written_does_not_stop_a_turn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch = ErrorWatch.open(tmp_path / "errors.db")
    watch.store.close()
    with span("execute_tool", "TOOL") as opened:
        assert [watch.saw(PATH, opened).state for _ in range(3)] == ["unstored"] * 3
    assert [record.message.count("cannot be written") for record in caplog.records] == [1]
    watch.close()


@pytest.mark.phoenix
def test_phoenix_is_told_of_a_new_path_and_not_of_a_known_one(phoenix: Any, tmp_path: Path) -> None:
    with (
        tracing.configure(endpoint=phoenix.endpoint, project="new-paths", spool=tmp_path / "spool") as traces,
        ErrorWatch.open(tmp_path / "errors.db", endpoint=phoenix.endpoint) as watch,
    ):
        with span("turn", "AGENT"), span("execute_tool refund_order", "TOOL") as first:
            began = time.monotonic()
            watch.saw(PATH, first, "no order was looked up")
            assert time.monotonic() - began < 0.5, "nobody waits for Phoenix in a turn"
        with span("turn", "AGENT"), span("execute_tool refund_order", "TOOL") as second:
            watch.saw(PATH, second, "again")
        assert traces.flush(20)
        assert watch.flush(20)
        assert watch.store.pending() == []

    [annotation] = phoenix.annotations("new-paths", first.span_id)
    assert annotation["name"] == "new_error_path"
    assert annotation["identifier"] == PATH.fingerprint
    assert annotation["result"] == {"label": "new", "score": 1.0, "explanation": PATH.text}
    assert phoenix.annotations("new-paths", second.span_id) == []


@pytest.mark.phoenix
def test_what_phoenix_could_not_be_told_is_told_by_the_next_process(phoenix: Any, tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    with (
        tracing.configure(endpoint=nobody, project="told-later", spool=tmp_path / "spool"),
        ErrorWatch.open(tmp_path / "errors.db", endpoint=nobody) as watch,
        span("execute_tool refund_order", "TOOL") as opened,
    ):
        assert watch.saw(PATH, opened).state == "new"

    with (
        tracing.configure(endpoint=phoenix.endpoint, project="told-later", spool=tmp_path / "spool") as traces,
        ErrorWatch.open(tmp_path / "errors.db", endpoint=phoenix.endpoint) as watch,
    ):
        assert [one.span_id for one in watch.store.pending()] in ([opened.span_id], [])
        assert traces.flush(20)
        assert watch.flush(20)
    assert len(phoenix.annotations("told-later", opened.span_id)) == 1
