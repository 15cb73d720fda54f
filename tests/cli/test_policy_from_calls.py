"""``bailiwick policy suggest`` and ``simulate``: from an export to a policy, and to what a change would change."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bailiwick.cli import app
from bailiwick.tracing import conventions as words

ROOT = Path(__file__).resolve().parents[2]
PHOENIX = "http://127.0.0.1:9"  # where nobody listens


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the support desk's project; nothing is run, so it needs no data and no sandbox."""
    root = tmp_path / "desk"
    for folder in ("agents", "graphs", "tools", "policies"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Two conversations in which shipping was quoted: three times in all, and once it was denied."""
    spans: list[dict[str, Any]] = []

    def add(name: str, kind: str, parent: str | None, trace: str, attributes: dict[str, Any]) -> str:
        span = f"{len(spans) + 1:016x}"
        time = f"2026-11-01T12:00:{len(spans):02d}+00:00"
        known = {key: value for key, value in attributes.items() if value is not None}
        spans.append(
            {"name": name, "span_kind": kind, "context": {"trace_id": trace, "span_id": span}, "parent_id": parent,
             "start_time": time, "end_time": time, "attributes": known}
        )  # fmt: skip
        return span

    for n, kilos in enumerate((2.5, 3.0, 12.0, 45.0)):
        decision, rule, outcome = ("allow", "quote", "ok") if kilos < 30 else ("deny", "quote", "denied")
        trace = f"{n:032x}"
        turn = add("turn", "AGENT", None, trace, words.turn("support", f"t{n % 2}", "C-1", f"{kilos:g} kg to Austria"))
        args = {"country": "Austria", "weight_kg": kilos}
        call = words.tool_call("shipping_quote", f"c{n}", "support", args) | words.tool_outcome(
            "9.20", outcome, decision
        )
        tool = add("execute_tool shipping_quote", "TOOL", turn, trace, call)
        add(
            "policy quote",
            "GUARDRAIL",
            tool,
            trace,
            words.policy_decision(decision, rule, "r", "w", "d", "le" * (n > 2)),
        )
    file = tmp_path / "spans.json"
    file.write_text(json.dumps({"data": spans}))
    return file


def run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["policy", *arguments])
    assert done.exit_code == code, f"{done.exit_code}\n{done.output}\n{done.exception!r}"
    return done


def change(file: Path, old: str, new: str) -> None:
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


# suggest


def test_a_suggestion_is_a_policy_that_check_and_test_are_content_with(desk: Path, export: Path) -> None:
    (desk / "policies/shipping_quote.yaml").unlink()
    done = run("suggest", "shipping_quote", "--from", str(export), "--write")
    assert f"written: {desk}/policies/shipping_quote.yaml" in done.stderr
    assert (desk / "policies/shipping_quote.yaml").read_text() == done.stdout
    assert "le: 12  # from 1 call: 0000000000000008" in done.stdout
    assert "7 policies read: 0 problems, 0 warnings" in run("check", "--strict").output
    assert "shipping_quote .." in run("test").output
    assert not list((desk / "policies").glob(".*"))


def test_a_policy_that_is_there_is_never_replaced(desk: Path, export: Path) -> None:
    file = desk / "policies/shipping_quote.yaml"
    before = file.read_text()
    done = run("suggest", "shipping_quote", "--from", str(export), "--write", code=2)
    assert f"{file} is there already" in done.output
    assert "left as it is" in run("suggest", "--all", "--from", str(export), "--write").stderr
    assert file.read_text() == before


def test_every_tool_that_was_seen(desk: Path, export: Path) -> None:
    assert run("suggest", "--all", "--from", str(export)).stdout.startswith("--- # policies/shipping_quote.yaml\n")


def test_a_call_that_cannot_be_covered_is_said_and_nothing_is_written(desk: Path, export: Path) -> None:
    (desk / "policies/shipping_quote.yaml").unlink()
    asked = json.loads(export.read_text())
    for span in asked["data"]:
        attributes = span["attributes"]
        if span["context"]["trace_id"] == f"{1:032x}":  # as the first, but that a person was asked
            attributes |= {
                key: "ask" for key in ("bailiwick.decision", "bailiwick.policy.decision") if key in attributes
            }
            if "session.id" in attributes:
                attributes["input.value"] = "2.5 kg to Austria"
            if "tool.name" in attributes:
                attributes["input.value"] = json.dumps({"country": "Austria", "weight_kg": 2.5})
    export.write_text(json.dumps(asked))
    done = run("suggest", "shipping_quote", "--from", str(export), "--write", code=1)
    assert "NOT COVERED: shipping_quote(country='Austria', weight_kg='2.5')" in done.stderr
    assert "nothing was written" in done.stderr
    assert not (desk / "policies/shipping_quote.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("suggest",), 2, "name one tool, or give --all"),
        (("suggest", "shipping_quote", "--all"), 2, "name one tool, or give --all"),
        (("suggest", "refund_order", "--from", "EXPORT"), 2, "no call of 'refund_order' is recorded"),
        (("suggest", "refund_order", "--from", "nowhere.json"), 2, "nowhere.json: it cannot be read"),
        (("suggest", "refund_order", "--phoenix", PHOENIX), 1, f"Phoenix does not answer at {PHOENIX}"),
        (("simulate", "--since", "soon"), 2, "not a duration"),
        (("simulate", "--session", "[]", "--from", "EXPORT"), 2, "a JSON object is needed"),
        (("simulate", "git:nowhere", "--from", "EXPORT"), 2, "git does not give this version"),
        (("simulate", "nowhere", "--from", "EXPORT"), 2, "no such folder or file"),
    ],
)
def test_what_is_asked_wrongly_is_one_clear_error(
    desk: Path, export: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    given = [str(export) if each == "EXPORT" else each for each in arguments]
    assert says in " ".join(run(*given, code=code).output.replace("│", " ").split())


# simulate


def test_nothing_is_otherwise_under_the_policies_of_then(desk: Path, export: Path) -> None:
    done = run("simulate", "--from", str(export), "--fail-on-change")
    assert done.output == "4 calls: 0 decided otherwise, 4 as before, of 0 it cannot be told\n"


def test_a_changed_policy_is_shown_call_by_call(desk: Path, export: Path) -> None:
    change(desk / "policies/shipping_quote.yaml", "le: 30", "le: 10")
    done = run("simulate", "--from", str(export), "--fail-on-change", code=1)
    assert "allow → deny  shipping_quote(country='Austria', weight_kg=12.0) by support" in done.output
    assert (
        "no rule matches; the nearest is 'quote': args.weight_kg.le: 12.0 is not at most 10 (policies/" in done.output
    )
    assert "thread t0, trace 00000000000000000000000000000002, span 0000000000000008" in done.output

    found = json.loads(run("simulate", "--from", str(export), "--json").output)
    assert (found["calls"], found["unchanged"], found["untold"]) == (4, 3, [])
    (changed,) = found["changed"]
    assert (changed["tool"], changed["args"]["weight_kg"], changed["thread"]) == ("shipping_quote", 12.0, "t0")
    assert changed["before"] == {"decision": "allow", "rule": "quote", "key": ""}
    assert (changed["after"]["decision"], changed["after"]["key"]) == ("deny", "args.weight_kg.le")
    assert changed["after"]["where"].startswith(f"{desk}/policies/shipping_quote.yaml:")


def test_what_cannot_be_told_is_listed_with_why(desk: Path, export: Path) -> None:
    change(desk / "policies/shipping_quote.yaml", 'regex: "[A-Za-z .\'-]{2,60}"', "equals: $session.country")
    found = json.loads(run("simulate", "--from", str(export), "--json", "--fail-on-change").output)
    assert (len(found["untold"]), found["unchanged"]) == (3, 1)
    assert "$session.country is not recorded" in found["untold"][0]["why"]
    assert "cannot be told  shipping_quote" in run("simulate", "--from", str(export)).output
    given = ("--session", '{"country": "Austria"}')
    assert json.loads(run("simulate", "--from", str(export), *given, "--json").output)["unchanged"] == 4


def test_two_versions_are_compared_by_what_they_say_of_the_same_calls(desk: Path, export: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "as it was"]):
        subprocess.run([*git, *arguments], cwd=desk, check=True)
    change(desk / "policies/shipping_quote.yaml", "le: 30", "le: 50")
    (changed,) = json.loads(run("simulate", "git:HEAD", "--from", str(export), "--json").output)["changed"]
    assert (changed["args"]["weight_kg"], changed["before"]["decision"]) == (45.0, "deny")
    assert changed["before"]["key"] == "args.weight_kg.le"
    assert changed["after"]["decision"] == "allow"
    assert run("simulate", "recorded", "git:HEAD", "--from", str(export), "--fail-on-change").exit_code == 0
