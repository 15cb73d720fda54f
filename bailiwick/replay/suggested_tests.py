"""Inline tests for a suggested policy: a call that was seen, and the same with a value that was not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bailiwick.gate import Allow, Verdict, leaves
from bailiwick.gate.inline_tests import run_tests
from bailiwick.gate.json_value import equal
from bailiwick.policy import ArgRule, InlineTest, LoadedPolicy, Rule
from bailiwick.replay.seen import Seen

__all__ = ["suggested_tests"]

_LONGEST = 200
_TRIED = 20


def suggested_tests(loaded: LoadedPolicy, seen: Mapping[str, Sequence[Seen]]) -> list[dict[str, Any]]:
    """For each rule of ``loaded`` a call of ``seen`` (by rule) that it decides, and one that no rule lets through.

    What is said in a test is made up of the call's own values, never of what people wrote.
    """
    made: list[dict[str, Any]] = []
    for rule in loaded.policy.rules:
        test, verdict = _first_as_meant(loaded, rule, seen.get(rule.id, ()))
        if test is None or verdict is None:
            continue
        made.append({**test, "expect": verdict.decision, **_because(rule.id, verdict)})
        other = next(_denied(loaded, rule, test), None)
        if other is not None:
            made.append(other)
    return made


def _first_as_meant(
    loaded: LoadedPolicy, rule: Rule, seen: Sequence[Seen]
) -> tuple[dict[str, Any] | None, Verdict | None]:
    """The shortest call that comes out as it did; where none can be told in a test, how the first one comes out."""
    first: tuple[dict[str, Any], Verdict] | None = None
    for each in sorted(seen, key=lambda each: len(str(each.call.args)))[:_TRIED]:
        test = _test(rule, each)
        verdict = _verdict(loaded, test)
        if verdict.decision == rule.decision:
            return test, verdict
        first = first or (test, verdict)
    return first or (None, None)


def _because(rule: str, verdict: Verdict) -> dict[str, str]:
    return {"because": rule} if verdict.rule == rule else {}


def _verdict(loaded: LoadedPolicy, test: Mapping[str, Any]) -> Verdict:
    made = InlineTest.model_validate({**test, "expect": "allow"})
    alone = replace(loaded, policy=loaded.policy.model_copy(update={"tests": (made,)}))
    return next(iter(run_tests(alone))).verdict


def _test(rule: Rule, seen: Seen) -> dict[str, Any]:
    args = dict(seen.call.args)
    session: dict[str, Any] = {}
    after: list[dict[str, Any]] = []
    user: list[str] = []
    for wanted in rule.after:
        after.append({"tool": wanted.tool, "args": {name: args[name] for name in wanted.same if name in args}})
    for name, arg in rule.args.items():
        if name not in args:
            continue
        if isinstance(arg.equals, str) and arg.equals.startswith("$session."):
            session[arg.equals.removeprefix("$session.")] = args[name]
        for label in _needed(arg, args[name], seen):
            kind, _, tool = label.partition(":")
            values = list(leaves(args[name]))
            if kind == "user":
                user += map(str, values)
            elif kind == "operator":
                session.setdefault("known", []).extend(values)
            elif tool:
                trust = {"trust": "untrusted"} if kind == "untrusted" else {}
                after.append({"tool": tool, "result": values, **trust})
    test: dict[str, Any] = {"agent": seen.call.agent, "args": args}
    parts = {"session": session, "after": after, "user": ", ".join(dict.fromkeys(user))}
    return test | {name: value for name, value in parts.items() if value}


def _needed(arg: ArgRule, value: Any, seen: Seen) -> Iterator[str]:
    """Origins that a test has to hold for this value; knowledge it cannot hold."""
    accepted = [label for label in arg.origins or () if label != "knowledge"]
    for leaf in leaves(value):
        found = seen.context.origins.labels(leaf)
        yield from [label for label in accepted if label in found][:1]


def _denied(loaded: LoadedPolicy, rule: Rule, test: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    # A number that is too high says more to a reader than a text that is none.
    for name, arg in sorted(rule.args.items(), key=lambda each: each[1].le is None):
        for value in _outside(arg):
            other = {**test, "args": {**test["args"], name: value}}
            verdict = _verdict(loaded, other)
            if verdict.decision == "deny":
                by_it = not isinstance(verdict, Allow) and name in verdict.key.split(".")
                yield {**other, "expect": "deny", **({"because": name} if by_it else {})}
    stranger = {**test, "agent": "another_agent"}
    if _verdict(loaded, stranger).decision == "deny":
        yield {**stranger, "expect": "deny"}


def _outside(arg: ArgRule) -> Iterator[Any]:
    """Values that ``arg`` should not take."""
    if arg.le is not None:
        yield int(arg.le * 10) + 1 if arg.le > 0 else 1
    if arg.ge is not None:
        yield int(arg.ge) - 1
    if arg.regex is not None or arg.equals is not None:
        yield "../somewhere else"
    if arg.enum is not None and not any(equal(value, "something else") for value in arg.enum):
        yield "something else" if arg.type == "string" else 10**9
    if arg.type == "boolean" and isinstance(arg.equals, bool):
        yield not arg.equals
    if arg.max_length is not None and arg.max_length < _LONGEST and arg.type == "string":
        yield "x" * (arg.max_length + 1)
    if arg.type is not None:
        yield 7 if arg.type in ("string", "list", "object", "boolean") else "seven"
