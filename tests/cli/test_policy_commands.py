"""``bailiwick policy``: every problem with its place, what would happen to a call, and what a change opens."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bailiwick.cli import app
from bailiwick.definition import file_digest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the support desk's project; nothing is run, so it needs no data and no sandbox."""
    root = tmp_path / "desk"
    for folder in ("agents", "graphs", "tools", "policies"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(root)
    return root


def policy(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["policy", *arguments])
    assert done.exit_code == code, f"{done.exit_code}\n{done.output}\n{done.exception!r}"
    return done.output


def document(*arguments: str, code: int = 0) -> dict[str, Any]:
    return json.loads(policy(*arguments, "--json", code=code))


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def line_of(file: Path, text: str) -> int:
    return next(n for n, line in enumerate(file.read_text().splitlines(), 1) if text in line)


def places(found: dict[str, Any]) -> set[tuple[str, int | None, str]]:
    return {(Path(each["file"]).name, each["line"], each["key"]) for each in found["problems"]}


# check


def test_the_desk_is_without_problems_and_warnings(desk: Path) -> None:
    assert "7 policies read: 0 problems, 0 warnings" in policy("check", "--strict")
    found = document("check")
    assert (found["ok"], len(found["policies"])) == (True, 7)


def test_every_problem_of_every_file_is_listed_with_its_place_and_fix(desk: Path) -> None:
    refunds, quotes, finds = (
        desk / f"policies/{name}.yaml" for name in ("refund_order", "shipping_quote", "find_orders")
    )
    change(refunds, "effect: write", "efect: write")
    change(refunds, "gt: 50, le: 500", "gt: 50, less: 500")
    change(quotes, "[A-Za-z .'-]{2,60}", ".*")
    change(quotes, "[data/shipping]", "[/, data/../x]")
    change(quotes, "agents: [support]", "agents: [suport]")
    change(finds, "expect: allow", "expect: deny")
    (desk / "policies/run_python.yaml").unlink()
    (desk / "policies/nothing.yaml").write_text("version: 1\ntool: nothing\n")

    found = document("check", code=1)
    assert places(found) >= {
        ("refund_order.yaml", line_of(refunds, "efect:"), "efect"),
        ("refund_order.yaml", line_of(refunds, "less: 500"), "rules.1.args.amount.less"),
        ("shipping_quote.yaml", line_of(quotes, ".*"), "rules.0.args.country.regex"),
        ("shipping_quote.yaml", line_of(quotes, "/, data"), "sandbox.files.read.0"),
        ("shipping_quote.yaml", line_of(quotes, "/, data"), "sandbox.files.read.1"),
        ("shipping_quote.yaml", line_of(quotes, "suport"), "rules.0.agents.0"),
        ("find_orders.yaml", line_of(finds, "expect: deny"), "tests.0.expect"),
        ("nothing.yaml", 2, "tool"),
        ("python.py", line_of(desk / "tools/python.py", "def run_python"), "run_python"),
    }
    assert all(each["fix"] for each in found["problems"])
    shown = policy("check", code=1)
    assert f"policies/refund_order.yaml:{line_of(refunds, 'efect:')}: problem: efect: unknown key 'efect'" in shown
    assert "fix: did you mean effect?" in shown


def test_arguments_are_compared_with_the_tool_where_it_has_been_described(desk: Path) -> None:
    change(desk / "policies/find_orders.yaml", "customer_id: {type: string", "customer: {type: string")
    change(desk / "policies/find_orders.yaml", "args: {customer_id:", "args: {customer:")
    assert document("check")["ok"]  # nobody has described the tool yet

    parameters = {"type": "object", "properties": {"customer_id": {"type": "string"}}, "required": ["customer_id"]}
    described = {file_digest(desk / "tools/orders.py"): [{"name": "find_orders", "parameters": parameters}]}
    (desk / ".bailiwick").mkdir()
    (desk / ".bailiwick/tools.json").write_text(json.dumps(described))
    found = document("check", code=1)
    said = [each["message"] for each in found["problems"]]
    assert any("find_orders has no argument 'customer'" in each for each in said)
    assert any("can never match: every call carries 'customer_id'" in each for each in said)

    (desk / ".bailiwick/tools.json").write_text("torn {")
    assert document("check")["ok"]


def test_a_rule_that_another_decides_before_is_a_problem(desk: Path) -> None:
    change(
        desk / "policies/run_python.yaml", "rules:\n", "rules:\n  - {id: nothing, decision: deny, reason: no code}\n"
    )
    (never, failing) = document("check", code=1)["problems"]
    assert "'calculation' never decides: whatever it matches is decided by 'nothing'" in never["message"]
    assert failing["key"] == "tests.0.expect"


def test_warnings_fail_only_when_they_are_told_to(desk: Path) -> None:
    change(desk / "policies/open_ticket.yaml", "agents: [support]", "agents: [any]")
    assert "warning: rules.0.agents: the rule 'own-case' lets every agent use a tool whose effect is write" in policy(
        "check"
    )
    assert document("check")["ok"]
    policy("check", "--strict", code=1)


def test_what_is_no_project_is_asked_wrongly(tmp_path: Path) -> None:
    assert "no Bailiwick project" in policy("check", "--project", str(tmp_path), code=2)


# explain

CALL = ("explain", "refund_order", "--agent", "support", "--args")
REFUND = {"order_id": "ORD-000001", "amount": 20, "reason": "scratched"}
LOOKED_UP = ("--after", 'lookup_order:{"order_id": "ORD-000001", "customer_id": "C-1"}')


def test_a_denied_call_is_told_condition_by_condition_for_each_rule(desk: Path) -> None:
    found = document(*CALL, json.dumps({**REFUND, "amount": 900}))
    assert (found["decision"], found["rule"]) == ("deny", "large")
    conditions = {rule["rule"]: [each["key"] for each in rule["not_met"]] for rule in found["rules"]}
    assert conditions == {
        "large": ["args.amount.le", "after.0"],
        "small": ["args.amount.le", "after.0", "limits.1", "args.order_id.from", "args.amount.from"],
    }
    file = desk / "policies/refund_order.yaml"
    bound = found["rules"][1]["not_met"][0]
    assert bound["where"] == f"{file}:{line_of(file, 'le: 50, from')}"
    assert bound["why"] == "900 is not at most 50"

    shown = policy(*CALL, json.dumps({**REFUND, "amount": 900}))
    assert f"args.amount.le: 900 is not at most 50 policies/refund_order.yaml:{line_of(file, 'le: 50, from')}" in shown
    assert "the model reads: " in shown


def test_what_came_before_who_speaks_and_what_was_read_count(desk: Path) -> None:
    said = ("--user", "refund 20 euro of ORD-000001", "--session", '{"user_id": "C-1"}')
    assert document(*CALL, json.dumps(REFUND), *LOOKED_UP, *said)["decision"] == "allow"
    unsaid = document(*CALL, json.dumps(REFUND), *LOOKED_UP, *said[2:])
    assert (unsaid["decision"], unsaid["key"]) == ("ask", "args.order_id.from")
    given = ("--result", 'lookup_order:{"order_id": "ORD-000001", "total": 20}')
    assert document(*CALL, json.dumps(REFUND), *LOOKED_UP, *given, *said[2:])["decision"] == "allow"
    used = document(*CALL, json.dumps(REFUND), *LOOKED_UP, *said, "--used-sum", "190")
    assert (used["decision"], used["key"]) == ("deny", "limits.1")
    failed = ("--after-failed", LOOKED_UP[1])
    assert document(*CALL, json.dumps(REFUND), *failed)["decision"] == "deny"
    asked = document(*CALL, json.dumps({**REFUND, "amount": 100}), *LOOKED_UP)
    assert (asked["decision"], asked["approval"]["by"]) == ("ask", ["role:refund-lead"])
    untrusted = document(*CALL, json.dumps(REFUND), *LOOKED_UP, *said, "--untrusted")
    assert (untrusted["decision"], untrusted["key"]) == ("deny", "on_untrusted")

    own = ("explain", "find_orders", "--agent", "support", "--args", '{"customer_id": "C-1"}')
    assert document(*own)["decision"] == "deny"
    assert document(*own, "--session", '{"user_id": "C-1"}')["decision"] == "allow"


def test_a_rule_that_matches_and_does_not_decide_is_told_so(desk: Path) -> None:
    change(
        desk / "policies/find_orders.yaml",
        "rules:\n",
        "rules:\n  - {id: nobody, decision: deny, agents: [support], reason: closed}\n",
    )
    call = (
        "explain",
        "find_orders",
        "--agent",
        "support",
        "--args",
        '{"customer_id": "C"}',
        "--session",
        '{"user_id": "C"}',
    )
    assert [(rule["rule"], rule["outcome"]) for rule in document(*call)["rules"]] == [
        ("nobody", "decides"),
        ("own-orders", "shadowed"),
    ]
    assert "own-orders: matches, but another decides before it" in policy(*call)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("explain", "refund_ordr", "--agent", "support"), "did you mean refund_order?"),
        (("explain", "refund_order", "--agent", "support", "--args", "[1]"), "a JSON object is needed"),
        (("explain", "refund_order", "--agent", "support", "--args", "{"), "this is no JSON"),
        (("explain", "refund_order", "--agent", "support", "--after", "lookup_order:5"), "a JSON object is needed"),
        (("diff", "nowhere"), "there is no such folder or file"),
        (("diff", "git:nowhere"), "git does not give this version"),
        (("diff", "git:--output=x"), "names no version"),
    ],
)
def test_what_is_asked_wrongly_is_exit_code_2(desk: Path, arguments: tuple[str, ...], says: str) -> None:
    assert says in " ".join(policy(*arguments, code=2).replace("│", " ").split())


def test_an_agent_that_is_not_there_is_pointed_out(desk: Path) -> None:
    assert "there is no agent 'suport'" in policy("explain", "refund_order", "--agent", "suport")


# test


def test_the_tests_of_all_policies_are_run_and_counted(desk: Path) -> None:
    assert "20 passed, 0 failed" in policy("test")
    change(desk / "policies/refund_order.yaml", "because: large", "because: small")
    shown = policy("test", code=1)
    file = desk / "policies/refund_order.yaml"
    assert "19 passed, 1 failed" in shown
    assert f"FAILED policies/refund_order.yaml:{line_of(file, 'amount: 120') - 2}" in shown
    found = document("test", code=1)
    assert [(each["tool"], each["got"]) for each in found["tests"] if not each["passed"]] == [("refund_order", "ask")]


# diff


@pytest.fixture
def changed(desk: Path, tmp_path: Path) -> Path:
    """The folder as it was, beside a project whose refunds go up to 100 and may write more."""
    before = tmp_path / "before"
    # With a limit, less under one rule is more for the question behind it: once the limit is reached, nobody was asked.
    file = desk / "policies/refund_order.yaml"
    change(file, next(line for line in file.read_text().splitlines() if "limits: [{per: session" in line), "")
    change(file, file.read_text()[file.read_text().index("tests:") :], "")
    shutil.copytree(desk / "policies", before)
    change(desk / "policies/refund_order.yaml", "gt: 0, le: 50, from", "gt: 0, le: 100, from")
    change(desk / "policies/refund_order.yaml", "gt: 50, le: 500", "gt: 100, le: 500")
    change(desk / "policies/refund_order.yaml", "write: [data/orders]", "write: [data]")
    return before


def test_what_became_wider_is_marked_and_shown_by_a_call(desk: Path, changed: Path) -> None:
    found = document("diff", str(changed))
    wider = {each["key"]: each for each in found["changes"] if each["direction"] == "wider"}
    assert set(wider) == {"rules.small", "rules.large", "sandbox.files.write"}
    small = wider["rules.small"]
    assert "le 50, from ['user', 'tool:lookup_order'] → type decimal, gt 0, le 100, from" in small["text"]
    assert "refund_order(order_id='ORD-" in small["example"]
    assert "by support (after a successful lookup_order" in small["example"]
    assert small["example"].endswith("): asked about (role:refund-lead) before, allowed now")
    assert small["new"].endswith(f"refund_order.yaml:{line_of(desk / 'policies/refund_order.yaml', 'id: small')}")
    shown = policy("diff", str(changed))
    assert "  wider        rules.small: args.amount: " in shown
    assert "  wider        sandbox.files.write: data may be written now" in shown


def test_a_limit_that_another_rule_asks_about_first_is_no_widening(desk: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    # With a limit, less under one rule is more for the question behind it: once the limit is reached, nobody was asked.
    file = desk / "policies/refund_order.yaml"
    change(file, next(line for line in file.read_text().splitlines() if "limits: [{per: session" in line), "")
    change(file, file.read_text()[file.read_text().index("tests:") :], "")
    shutil.copytree(desk / "policies", before)
    change(desk / "policies/refund_order.yaml", "gt: 0, le: 50, from", "gt: 0, le: 100, from")
    (found,) = document("diff", str(before), "--fail-on-wider")["changes"]
    assert (found["key"], found["direction"]) == ("rules.small", "same")


def test_only_what_is_wider_fails_and_only_when_it_is_told_to(desk: Path, changed: Path) -> None:
    policy("diff", str(changed))
    policy("diff", str(changed), "--fail-on-wider", code=1)
    narrower = policy("diff", "policies", str(changed), "--fail-on-wider")
    assert "narrower" in narrower
    assert "0 wider or maybe wider" in narrower


def test_two_files_of_one_name_are_compared(desk: Path, changed: Path) -> None:
    found = document("diff", str(changed / "refund_order.yaml"), "policies/refund_order.yaml")
    assert {each["tool"] for each in found["changes"]} == {"refund_order"}
    assert "nothing differs" in policy("diff", "policies", "policies")


def test_the_old_side_may_be_what_git_keeps(desk: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "as it was"]):
        subprocess.run([*git, *arguments], cwd=desk, check=True)
    assert "nothing differs" in policy("diff", "git:HEAD", "--fail-on-wider")

    change(desk / "policies/run_python.yaml", "time: 3s", "time: 30s")
    (desk / "policies/open_ticket.yaml").unlink()
    found = document("diff", "git:HEAD", "--fail-on-wider", code=1)
    limit, gone = (
        next(each for each in found["changes"] if each["tool"] == tool) for tool in ("run_python", "open_ticket")
    )
    assert (limit["key"], limit["direction"], limit["text"]) == ("sandbox.limits.time", "wider", "time: 3s → 30s")
    assert limit["old"].startswith("git:HEAD:run_python.yaml:")
    assert gone["direction"] == "narrower"

    subprocess.run([*git, "commit", "-q", "-a", "-m", "as it is"], cwd=desk, check=True)
    change(desk / "policies/find_orders.yaml", "effect: read", "efect: read")
    subprocess.run([*git, "commit", "-q", "-a", "-m", "broken"], cwd=desk, check=True)
    assert "git:HEAD:find_orders.yaml:" in policy("diff", "git:HEAD", "policies", code=2)


def test_a_policy_that_cannot_be_read_is_not_compared(desk: Path, changed: Path) -> None:
    change(desk / "policies/refund_order.yaml", "effect: write", "efect: write")
    assert "unknown key 'efect'" in policy("diff", str(changed), code=2)


def test_the_schema_is_printed(desk: Path) -> None:
    assert json.loads(policy("schema"))["$id"].endswith("policy.schema.json")
