"""What can be wrong with a policy though each of its keys is right: rules that never decide, names that nobody has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bailiwick.gate.lint import lint
from bailiwick.gate.project_check import check_folder
from bailiwick.policy import LoadedPolicy, Policy, load_policies
from bailiwick.policy.remark import Remark

DESK = Path(__file__).parents[2] / "policies"
TEST = {"agent": "support", "expect": "deny", "args": {"none": 1}}


def rule(name: str, decision: str = "allow", **more: Any) -> dict[str, Any]:
    return {"id": name, "decision": decision, "agents": ["support"], "reason": "r", **more}


def remarks(*rules: dict[str, Any], **more: Any) -> list[Remark]:
    data = {"tool": "t", "effect": "read", "rules": rules, "tests": [TEST], **more}
    loaded = LoadedPolicy(policy=Policy.model_validate(data), file=Path("t.yaml"), lines={"rules.0": 5, "rules.1": 9})
    return list(lint(loaded, agents=["support", "sales"]))


def test_the_desks_policies_are_without_remarks() -> None:
    for loaded in load_policies(DESK).values():
        assert list(lint(loaded, agents=["support"])) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rule("a", "deny"), rule("b", "allow")),
        (rule("b", "allow", args={"x": {"type": "string"}}), rule("a", "deny", args={"x": {}})),
        (rule("a", "ask", args={"x": {}}), rule("b", "allow", args={"x": {"enum": [1]}})),
        (rule("a", args={"x": {"type": "decimal", "le": 5}}), rule("b", args={"x": {"type": "integer", "le": 5}})),
        (rule("a", "deny", agents=[]), rule("b", "ask")),
        (rule("a", "deny", agents=["support"]), rule("b", "deny", args={"x": {}})),
    ],
)  # fmt: skip
def test_a_rule_that_another_decides_before(first: dict[str, Any], second: dict[str, Any]) -> None:
    (found,) = remarks(first, second)
    assert found.severity == "problem"
    assert found.message == "the rule 'b' never decides: whatever it matches is decided by 'a' before"
    assert found.line == (5 if first["id"] == "b" else 9)
    assert found.fix


def test_a_rule_that_several_others_decide_before() -> None:
    asks = [
        rule("small", "ask", args={"x": {"type": "decimal", "le": 50}}),
        rule("large", "ask", args={"x": {"type": "decimal", "gt": 50}}),
    ]
    (found,) = remarks(*asks, rule("b", args={"x": {"type": "decimal", "gt": 0, "le": 100}}))
    assert "decided by 'small' and 'large' before" in found.message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rule("a", "deny", args={"x": {"type": "decimal", "gt": 50}}), rule("b", args={"x": {"type": "decimal"}})),
        (rule("a", "ask", agents=["sales"]), rule("b", "allow")),
        (rule("a", "ask", after=[{"tool": "u"}]), rule("b", "allow")),
        (rule("a", "allow"), rule("b", "deny", args={"x": {}})),
        (rule("a", args={"x": {"enum": [1]}}), rule("b", args={"x": {"enum": [1, True]}})),
    ],
)
def test_a_rule_that_still_decides_something(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert remarks(first, second) == []


@pytest.mark.parametrize(
    "arg",
    [
        {"type": "integer", "gt": 0, "lt": 1},
        {"type": "integer", "enum": ["a", "b"]},
        {"regex": "a+", "enum": ["b"]},
        {"type": "decimal", "max_length": 5},
        {"enum": ["a"], "equals": "b"},
        {"type": "string", "max_length": 2, "enum": ["abc"]},
    ],
)
def test_constraints_that_exclude_each_other(arg: dict[str, Any]) -> None:
    (found,) = remarks(rule("a", args={"x": arg}))
    assert (found.severity, found.key) == ("problem", "rules.0.args.x")
    assert "no value can be what 'x' has to be" in found.message


def test_a_rule_for_nobody_and_one_for_an_agent_that_is_not_there() -> None:
    (nobody,) = remarks(rule("a", agents=[]))
    assert "is for nobody" in nobody.message
    (unknown,) = remarks(rule("a", agents=["suport"]))
    assert (unknown.message, unknown.fix) == ("there is no agent 'suport'", "did you mean support?")
    assert remarks(rule("a", "deny", agents=[])) == []
    assert remarks(rule("a", agents=["any"])) == []


def test_a_test_that_fails_is_a_problem() -> None:
    (found,) = remarks(rule("a"), tests=[{**TEST, "expect": "allow"}])
    assert (found.severity, found.key) == ("problem", "tests.0.expect")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            {"effect": "write", "rules": [rule("a", agents=["any"])]},
            "lets every agent use a tool whose effect is write",
        ),
        ({"rules": [rule("a")], "tests": []}, "no tests"),
        ({"rules": [], "tests": []}, "no rules"),
        ({"rules": [rule("a", args={"x": {"regex": "ORD-.*"}})]}, "takes anything at one of its ends"),
        ({"rules": [rule("a", args={"x": {"regex": ".+@shop"}})]}, "takes anything at one of its ends"),
        ({"rules": [rule("a", args={"x": {"from": ["user", "any"]}})]}, "the other origins beside any say nothing"),
        ({"rules": [rule("a", args={"x": {"links": ["any", "user"]}})]}, "the other origins beside any say nothing"),
        ({"effect": "write", "rules": [rule("a", args={"x": {"from": ["model"]}})]}, "what the model makes up"),
    ],
)
def test_what_may_be_meant_is_a_warning(more: dict[str, Any], says: str) -> None:
    (found,) = remarks(**more) if "rules" not in more else remarks(*more.pop("rules"), **more)
    assert found.severity == "warning"
    assert says in found.message
    assert found.fix


def test_a_limit_that_no_call_stays_within() -> None:
    (found,) = remarks(rule("a", limits=[{"per": "all", "calls": 0}]))
    assert (found.severity, found.key) == ("problem", "rules.0.limits.0")
    assert "never matches" in found.message
    assert remarks(rule("a", limits=[{"per": "all", "calls": 1}])) == []


def test_a_tool_whose_results_never_count(tmp_path: Path) -> None:
    def write(tool: str, trust: str, *origins: str) -> None:
        text = f"version: 1\ntool: {tool}\neffect: read\noutput: {{trust: {trust}}}\nrules:\n"
        text += (
            f"  - {{id: r, decision: allow, agents: [a], reason: r, args: {{x: {{from: [{', '.join(origins)}]}}}}}}\n"
        )
        text += "tests: [{agent: b, expect: deny}]\n"
        (tmp_path / f"{tool}.yaml").write_text(text)

    write("page", "untrusted", "user")
    write("list", "trusted", "user")
    write("send", "trusted", "user", "tool:page", "tool:list", "untrusted:page")
    _, found = check_folder(tmp_path)
    (remark,) = found
    assert (remark.severity, remark.key) == ("problem", "rules.0.args.x.from.1")
    assert remark.fix.startswith("write untrusted:page if you mean it")
