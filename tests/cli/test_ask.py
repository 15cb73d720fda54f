"""``bailiwick ask`` for a program: JSON on stdout, exit codes 0, 1 and 2, a conversation that goes on by its thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.bubblewrap

CLI = Path(sys.executable).with_name("bailiwick")


def bailiwick(root: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BAILIWICK_SANDBOX": "bubblewrap", "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [CLI, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def ask(root: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    return json.loads(bailiwick(root, "ask", "support", *arguments, "--json", code=code).stdout)


def test_one_turn_as_json(project_root: Path) -> None:
    turn = ask(project_root, "Where is my order ORD-000131?", "--user", "C-1001")
    assert turn["outcome"] == "answered"
    assert "JD0163" in turn["text"]
    assert "offline rules" in turn["notice"]
    (call,) = turn["calls"]
    expected = {"tool": "lookup_order", "decision": "allow", "rule": "own-order", "outcome": "ok"}
    assert expected.items() <= call.items()
    assert call["sandbox"] == "bubblewrap"
    assert call["wall_ms"] > 0
    assert len(turn["trace_id"]) == 32
    assert turn["trace_id"] in turn["trace_link"]


def test_a_question_to_a_person_is_answered_in_a_later_call(project_root: Path) -> None:
    waiting = ask(project_root, "One of ORD-000128 broke, refund 64.50 euro", "--user", "C-1003", "--thread", "t1")
    assert waiting["outcome"] == "waiting"
    (question,) = waiting["questions"]

    answer = ("--thread", "t1", "--user", "C-1003", "--approve", question["id"], "--role", "refund-lead")
    done = ask(project_root, *answer)
    assert done["outcome"] == "answered"
    assert done["calls"][-1]["outcome"] == "ok"
    assert done["calls"][-1]["approved_by"]


def test_a_rejection_says_why_and_a_turn_that_waits_is_found_again(project_root: Path) -> None:
    who = ("--user", "C-1003", "--thread", "t2")
    waiting = ask(project_root, "One of ORD-000128 broke, refund 64.50 euro", *who)
    (question,) = waiting["questions"]
    (again,) = ask(project_root, *who, "--recover")["questions"]
    assert again == question
    done = ask(project_root, *who, "--reject", question["id"], "--message", "send a photo first")
    assert (done["calls"][-1]["outcome"], done["calls"][-1]["error"]) == ("rejected", "send a photo first")
    refused = bailiwick(project_root, "ask", "support", *who, "--recover", code=2)
    assert "was left unfinished" in refused.stderr


def test_what_a_person_sees(project_root: Path) -> None:
    done = bailiwick(project_root, "ask", "support", "Show me all the orders of C-1001", "--user", "C-1002")
    shown = done.stdout
    assert "deny" in shown
    assert "find_orders(customer_id='C-1001')" in shown
    assert "trace" in shown
    assert "/redirects/traces/" in shown
    # Nobody started Phoenix here: the turn went on, and its trace is kept.
    assert "Phoenix does not answer: this turn's trace is kept" in " ".join(done.stderr.split())
    assert any((project_root / ".bailiwick/spool").rglob("*"))


def test_a_file_sent_along_is_read_in_the_sandbox(project_root: Path, tmp_path: Path) -> None:
    note = tmp_path / "my note.txt"
    note.write_text("It arrived wet.")
    turn = ask(project_root, "Please read this", "--attach", str(note))
    assert [(call["tool"], call["outcome"], call["trust"]) for call in turn["calls"]] == [
        ("read_attachment", "ok", "untrusted")
    ]


def test_a_broken_pdf_is_one_failed_call(project_root: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 and then nothing")
    turn = ask(project_root, "Please read this", "--attach", str(broken))
    assert turn["outcome"] == "answered"
    assert turn["calls"][0]["outcome"] == "error"
    assert "not a readable PDF" in turn["calls"][0]["error"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ask", "suport", "hello"), "there is no agent 'suport'"),
        (("ask", "support", ""), "the question is empty"),
        (("ask", "support", "hello", "--attach", "nowhere.pdf"), "there is no such file to attach"),
        (("ask", "support", "--approve", "x"), "--thread"),
        (("ask", "support", "--approve", "x", "--thread", "t"), "no question 'x' waits in the thread 't'"),
        (("ask", "support", "hello", "--project", "/"), "no Bailiwick project is here or above"),
    ],
)
def test_what_is_asked_wrongly_is_exit_code_2(project_root: Path, arguments: tuple[str, ...], says: str) -> None:
    assert says in bailiwick(project_root, *arguments, code=2).stderr


def test_ingest_reports_what_it_did(project_root: Path) -> None:
    (project_root / "knowledge/torn.pdf").write_bytes(b"%PDF-1.4 torn")
    report = json.loads(bailiwick(project_root, "ingest", "--json", code=1).stdout)
    assert report["added"] > 20
    assert ["torn.pdf" in letter["source"] for letter in report["dead_letters"]] == [True]
    (project_root / "knowledge/torn.pdf").unlink()
    again = json.loads(bailiwick(project_root, "ingest", "--json").stdout)
    assert (again["added"], again["unchanged"]) == (0, report["added"])


def test_doctor_says_what_is_here(project_root: Path) -> None:
    document = json.loads(bailiwick(project_root, "doctor", "--json").stdout)
    assert document["ok"]
    found = {finding["name"]: finding for finding in document["findings"]}
    assert found["bubblewrap"]["ok"]
    assert not found["model"]["ok"]
    assert "BAILIWICK_MODEL" in found["model"]["fix"]
    assert "7 policies, their tests pass" in found["project"]["detail"]
