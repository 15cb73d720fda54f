"""How the answers of ``bailiwick policy`` look: text for a person, one document for a program."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from bailiwick.gate import Call
from bailiwick.gate.every_rule import Explained
from bailiwick.gate.inline_tests import InlineOutcome
from bailiwick.policy import LoadedPolicy
from bailiwick.policy.change import Change
from bailiwick.policy.remark import Remark

__all__ = [
    "check_document",
    "diff_document",
    "explain_document",
    "show_check",
    "show_diff",
    "show_explained",
    "show_tests",
    "test_document",
]

_SEVERITY = {"problem": "red", "warning": "yellow"}
_DECISION = {"allow": "green", "ask": "yellow", "deny": "red"}
_DIRECTION = {"wider": "bold red", "may be wider": "yellow", "narrower": "green", "same": "dim"}
_OUTCOME = {"decides": "decides", "shadowed": "matches, but another decides before it", "no match": "does not match"}


def check_document(policies: Mapping[str, LoadedPolicy], remarks: Sequence[Remark]) -> dict[str, Any]:
    """``{"ok", "policies", "problems", "warnings"}``."""
    of = {severity: [asdict(each) for each in remarks if each.severity == severity] for severity in _SEVERITY}
    return {
        "ok": not of["problem"],
        "policies": sorted(policies),
        "problems": of["problem"],
        "warnings": of["warning"],
    }


def show_check(policies: Mapping[str, LoadedPolicy], remarks: Sequence[Remark], root: Path) -> None:
    """One paragraph for each remark, and how many there are."""
    console = _console()
    for each in remarks:
        key = f" {escape(each.key)}:" if each.key else ""
        console.print(f"{escape(_near(each.where, root))}: [{_SEVERITY[each.severity]}]{each.severity}[/]:{key}"
                      f" {escape(each.message)}")  # fmt: skip
        if each.fix:
            console.print(f"    fix: {escape(each.fix)}", style="dim")
    problems = sum(each.severity == "problem" for each in remarks)
    warnings = len(remarks) - problems
    console.print(f"{len(policies)} policies read: {_count(problems, 'problem')}, {_count(warnings, 'warning')}")


def explain_document(call: Call, explained: Explained) -> dict[str, Any]:
    """``{"call", "decision", "rule", "key", "reason", "where", "advice", "approval", "rules"}``."""
    verdict = explained.verdict
    approval = getattr(verdict, "approval", None)
    return {
        "call": {"tool": call.tool, "agent": call.agent, "args": call.args},
        "decision": verdict.decision,
        "rule": verdict.rule,
        "key": getattr(verdict, "key", ""),
        "reason": verdict.reason,
        "where": verdict.where,
        "advice": getattr(verdict, "advice", ""),
        "approval": approval.model_dump(mode="json") if approval is not None else None,
        "rules": [asdict(rule) for rule in explained.rules],
    }


def show_explained(call: Call, explained: Explained, root: Path) -> None:
    """The decision with its reason and place, then every rule in the order in which they are tried."""
    console = _console()
    verdict = explained.verdict
    where = f" ({escape(_near(verdict.where, root))})" if verdict.where else ""
    console.print(f"[{_DECISION[verdict.decision]}]{verdict.decision}[/]  {escape(call.tool)} by {escape(call.agent)}")
    console.print(f"       {escape(verdict.reason)}{where}")
    approval = getattr(verdict, "approval", None)
    if approval is not None:
        by = " or ".join(approval.by) or "anyone whom the application lets answer"
        console.print(f"       {escape(by)} may approve, within {approval.ttl.total_seconds():g}s")
    if advice := getattr(verdict, "advice", ""):
        console.print(f"       the model reads: {escape(advice)}")
    for rule in explained.rules:
        place = escape(_near(rule.where, root))
        console.print(
            f"  [{_DECISION[rule.decision]}]{rule.decision:<5}[/] {rule.rule}: {_OUTCOME[rule.outcome]} [dim]{place}[/]"
        )
        for each in rule.not_met:
            place = escape(_near(each.where, root))
            console.print(f"          {escape(each.key)}: {escape(each.why)} [dim]{place}[/]")


def test_document(outcomes: Mapping[str, Sequence[InlineOutcome]]) -> dict[str, Any]:
    """``{"ok", "passed", "failed", "tests"}``."""
    tests = [
        {
            "tool": name,
            "where": each.where,
            "agent": each.test.agent,
            "args": each.test.args,
            "expect": each.test.expect,
            "got": each.verdict.decision,
            "passed": each.problem is None,
            "problem": each.problem.problem if each.problem is not None else "",
        }
        for name, those in outcomes.items()
        for each in those
    ]
    failed = sum(not each["passed"] for each in tests)
    return {"ok": not failed, "passed": len(tests) - failed, "failed": failed, "tests": tests}


def show_tests(outcomes: Mapping[str, Sequence[InlineOutcome]], root: Path) -> None:
    """One line for each policy, one paragraph for each test that failed, and how many there are."""
    console = _console()
    failed = [each for those in outcomes.values() for each in those if each.problem is not None]
    for name, those in outcomes.items():
        marks = "".join("[green].[/]" if each.problem is None else "[bold red]F[/]" for each in those)
        console.print(f"{name} {marks or '[yellow]no tests[/]'}")
    for each in failed:
        if each.problem is not None:
            console.print(f"[red]FAILED[/] {escape(_near(each.where, root))}: {escape(each.problem.problem)}")
            console.print(f"    fix: {escape(each.problem.fix or '')}", style="dim")
    count = sum(map(len, outcomes.values()))
    console.print(f"{count - len(failed)} passed, {len(failed)} failed")


def diff_document(changes: Sequence[Change]) -> dict[str, Any]:
    """``{"wider", "changes"}``; ``wider`` also where it only may be."""
    return {"wider": any(change.widens for change in changes), "changes": [asdict(change) for change in changes]}


def show_diff(changes: Sequence[Change]) -> None:
    """By tool what differs, with the call that shows it; what became wider is marked."""
    console = _console()
    here = Path.cwd()
    tool = ""
    for change in changes:
        if change.tool != tool:
            tool = change.tool
            console.print(f"[bold]{escape(tool)}[/]")
        color = _DIRECTION[change.direction]
        key = f" {escape(change.key)}:" if change.key else ""
        console.print(f"  [{color}]{change.direction:<12}[/]{key} {escape(change.text)}")
        places = [_near(place, here) for place in (change.old, change.new) if place]
        console.print(f"               {escape(' → '.join(places))}", style="dim")
        if change.example:
            console.print(f"               {escape(change.example)}")
    if not changes:
        console.print("nothing differs")
    else:
        wider = sum(change.widens for change in changes)
        console.print(f"{_count(len(changes), 'change')}, {wider} wider or maybe wider")


def _console() -> Console:
    # Lines are long and full of brackets: they are not wrapped, and colours are ours alone.
    return Console(highlight=False, soft_wrap=True)


def _near(place: str, root: Path) -> str:
    """``policies/refund_order.yaml:24`` where it lies in ``root``."""
    prefix = str(root) + os.sep
    return place.removeprefix(prefix)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
