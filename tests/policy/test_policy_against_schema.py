"""A policy and its tool must speak of the same arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bailiwick.errors import PolicyError
from bailiwick.policy import LoadedPolicy, Policy, check_against_schema

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order": {"type": "string"},
        "amount": {"type": "number"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "anything": {},
    },
    "required": ["order"],
    "additionalProperties": False,
}


def policy(rule: dict[str, Any] | None = None, **more: Any) -> LoadedPolicy:
    base: dict[str, Any] = {"id": "r", "decision": "allow", "agents": ["any"], "args": {"order": {}}, "reason": "r"}
    data = {"tool": "refund", "rules": [{**base, **(rule or {})}], **more}
    return LoadedPolicy(policy=Policy.model_validate(data), file=Path("policies/refund.yaml"), lines={"rules.0": 7})


def test_a_policy_that_fits() -> None:
    check_against_schema(policy({"args": {"order": {"type": "string"}, "note": {"type": "string"}}}), SCHEMA)
    check_against_schema(policy({"args": {"order": {}, "amount": {"type": "decimal", "le": 5}}}), SCHEMA)
    check_against_schema(policy({"args": {"order": {}, "anything": {"type": "list"}}}), SCHEMA)


@pytest.mark.parametrize(
    ("rule", "more", "key", "says"),
    [
        ({"args": {"order": {}, "amnt": {}}}, {}, "rules.0.args.amnt", "did you mean amount"),
        ({"args": {"order": {}, "xyz": {}}}, {}, "rules.0.args.xyz", "it has: order, amount, note, anything"),
        ({"after": [{"tool": "t", "same": ["ordr"]}]}, {}, "rules.0.after.0.same.0", "did you mean order"),
        ({"approval": {"show": ["amout"]}}, {}, "rules.0.approval.show.0", "did you mean amount"),
        ({}, {"tests": [{"agent": "a", "args": {"oder": 1}, "expect": "deny"}]}, "tests.0.args.oder", "mean order"),
        ({"args": {"order": {"type": "decimal"}}}, {}, "rules.0.args.order.type", "takes 'order' as string"),
        ({"args": {"order": {}, "note": {"type": "list"}}}, {}, "rules.0.args.note.type", "as null or string"),
        ({"args": {"amount": {}}}, {}, "rules.0.args", "can never match: every call carries 'order'"),
        ({"args": {}}, {}, "rules.0", "can never match"),
        ({"args": {"order": {"regex": "[ab|cd]"}}}, {}, "rules.0.args.order.regex", "class of single characters"),
    ],
)
def test_a_policy_that_does_not_fit(rule: dict[str, Any], more: dict[str, Any], key: str, says: str) -> None:
    with pytest.raises(PolicyError) as caught:
        check_against_schema(policy(rule, **more), SCHEMA)
    assert caught.value.key == key
    assert says in str(caught.value)
    assert caught.value.line == (7 if key.startswith("rules") else None)


def test_a_deny_rule_may_name_as_few_arguments_as_it_likes() -> None:
    check_against_schema(policy({"decision": "deny", "args": {"amount": {}}}), SCHEMA)


def test_a_tool_without_arguments() -> None:
    empty = {"type": "object", "properties": {}, "additionalProperties": False}
    check_against_schema(policy({"args": {}}), empty)
    with pytest.raises(PolicyError, match="it has: none"):
        check_against_schema(policy(), empty)
