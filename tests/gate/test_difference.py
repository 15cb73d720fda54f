"""What a change of a policy opens, told at the rule and part that opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bailiwick.gate.difference import folder_difference, policy_difference
from bailiwick.policy import LoadedPolicy, Policy, load_policies
from bailiwick.policy.change import Change

DESK = Path(__file__).parents[2] / "policies"


def rule(name: str, decision: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "decision": decision, "agents": ["support"], "reason": "r", **more}


def loaded(*rules: dict[str, Any], **more: Any) -> LoadedPolicy:
    return LoadedPolicy(policy=Policy.model_validate({"tool": "t", "rules": rules, **more}), file=Path("t.yaml"))


def difference(old: LoadedPolicy, new: LoadedPolicy) -> dict[str, Change]:
    return {change.key: change for change in policy_difference(old, new)}


def of_one_argument(decision: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    """The direction when the constraints of one argument change; a deny rule stands before one that allows anything."""
    every = [rule("every", "allow", args={"a": {"optional": True}})] if decision == "deny" else []
    changes = difference(*(loaded(rule("r", decision, args={"a": arg}), *every) for arg in (old, new)))
    assert set(changes) == {"rules.r"}
    return changes["rules.r"].direction


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        ({"type": "decimal", "le": 50}, {"type": "decimal", "le": 100}, "wider"),
        ({"type": "decimal", "le": 50}, {"type": "decimal", "lt": 50}, "narrower"),
        ({"type": "decimal", "lt": 50}, {"type": "decimal", "le": 50}, "wider"),
        ({"type": "decimal", "gt": 0}, {"type": "integer", "ge": 1}, "narrower"),
        ({"type": "integer", "gt": 0}, {"type": "integer", "ge": 1}, "same"),
        ({"type": "decimal", "ge": 0, "le": 5}, {"enum": [1, 2.5]}, "narrower"),
        ({"enum": [1]}, {"enum": [True]}, "wider"),
        ({"enum": ["a", "b"]}, {"enum": ["b"]}, "narrower"),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, "wider"),
        ({"regex": "[ab]+"}, {"enum": ["a", "abba"]}, "narrower"),
        ({"regex": "ORD-[0-9]{6}"}, {"regex": "ORD-[0-9]{5,6}"}, "wider"),
        ({"regex": "ORD-[0-9]{5,6}"}, {"regex": "ORD-[0-9]{6}"}, "may be wider"),
        ({"regex": "[ab]+", "max_length": 3}, {"regex": "[ab]+", "max_length": 2}, "narrower"),
        ({"regex": "[ab]+", "max_length": 3}, {"regex": "[ab]+"}, "wider"),
        ({"regex": "[ab]+"}, {"regex": "[ab]+", "max_length": 5000}, "may be wider"),
        ({"type": "string", "max_length": 10}, {"type": "string"}, "wider"),
        ({"type": "string"}, {"type": "string", "max_length": 10}, "narrower"),
        ({"max_length": 10}, {"type": "string", "max_length": 10}, "narrower"),
        ({"type": "string"}, {}, "wider"),
        ({"type": "string"}, {"type": "string", "optional": True}, "wider"),
        ({"type": "string", "equals": "$session.user_id"}, {"type": "string"}, "wider"),
        ({"type": "string"}, {"type": "string", "equals": "$session.user_id"}, "narrower"),
        ({"equals": "$session.user_id"}, {"equals": "$session.other"}, "wider"),
        ({"type": "decimal", "max_length": 3}, {"type": "decimal"}, "wider"),
    ],
)
def test_an_argument_of_a_rule_that_allows(old: dict[str, Any], new: dict[str, Any], direction: str) -> None:
    assert of_one_argument("allow", old, new) == direction


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        ({"type": "decimal", "gt": 50}, {"type": "decimal", "gt": 100}, "wider"),
        ({"type": "decimal", "gt": 50}, {"type": "decimal", "gt": 20}, "narrower"),
        # A value that a deny rule cannot try is denied: with another type, others cannot be tried.
        ({"type": "decimal", "gt": 50}, {"type": "integer", "gt": 50}, "may be wider"),
        ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a"]}, "wider"),
        ({"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["a", "b"]}, "narrower"),
        ({"type": "string", "enum": ["a"]}, {"enum": ["a"]}, "wider"),
        ({"type": "string"}, {"type": "string", "max_length": 5}, "wider"),
        ({"regex": "a+"}, {"regex": "b+"}, "wider"),
        ({"equals": "$session.user_id"}, {}, "narrower"),
        ({}, {"optional": True}, "narrower"),
        ({"optional": True}, {}, "wider"),
    ],
)
def test_an_argument_of_a_rule_that_denies(old: dict[str, Any], new: dict[str, Any], direction: str) -> None:
    assert of_one_argument("deny", old, new) == direction


@pytest.mark.parametrize(
    ("allowed", "direction"),
    [
        ({"type": "decimal", "le": 50}, "same"),
        ({"type": "decimal", "le": 51}, "wider"),
        ({"type": "boolean"}, "wider"),
        ({"enum": [7, 8]}, "same"),
        ({"enum": [7, "a"]}, "wider"),
        ({"type": "integer", "lt": 51}, "same"),
    ],
)
def test_a_deny_rule_that_goes_had_also_denied_what_it_could_not_try(allowed: dict[str, Any], direction: str) -> None:
    denies = rule("limit", "deny", args={"a": {"type": "decimal", "gt": 50}})
    allows = rule("r", "allow", args={"a": allowed})
    changes = difference(loaded(denies, allows), loaded(allows))
    assert changes["rules.limit"].direction == direction


def test_a_deny_rule_for_whole_numbers_had_also_denied_the_others() -> None:
    denies = rule("limit", "deny", args={"a": {"type": "integer", "gt": 50}})
    allows = rule("r", "allow", args={"a": {"type": "decimal", "le": 50}})
    assert difference(loaded(denies, allows), loaded(allows))["rules.limit"].direction == "wider"


def amounts(small: int = 50, large: int = 500) -> list[dict[str, Any]]:
    return [
        rule("small", "allow", args={"amount": {"type": "decimal", "gt": 0, "le": small}}),
        rule("large", "ask", args={"amount": {"type": "decimal", "gt": small, "le": large}}),
    ]


def test_a_raised_limit_is_shown_by_a_call_and_its_words() -> None:
    small, large = difference(loaded(*amounts(50)), loaded(*amounts(100))).values()
    assert (small.direction, large.direction) == ("wider", "wider")
    assert "args.amount: type decimal, gt 0, le 50 → type decimal, gt 0, le 100" in small.text
    assert small.example.startswith("t(amount=")
    assert "by support: asked about before, allowed now" in small.example


def test_a_limit_between_two_rules_may_be_moved_down() -> None:
    changes = difference(loaded(*amounts(50)), loaded(*amounts(20)))
    assert not [change for change in changes.values() if change.widens]
    assert changes["rules.small"].direction == "narrower"


def test_two_rules_may_become_one_that_asks() -> None:
    one = rule("large", "ask", args={"amount": {"type": "decimal", "gt": 0, "le": 500}})
    assert not [change for change in difference(loaded(*amounts()), loaded(one)).values() if change.widens]


def test_rules_of_one_agent_each_may_become_one_of_both() -> None:
    each = [rule(agent, "allow", agents=[agent]) for agent in ("a", "b")]
    both = rule("both", "allow", agents=["a", "b"])
    assert not [change for change in difference(loaded(*each), loaded(both)).values() if change.widens]
    everybody = rule("both", "allow", agents=["any"])
    assert difference(loaded(*each), loaded(everybody))["rules.both"].direction == "wider"


def test_a_question_that_goes_is_wider_only_where_something_allows() -> None:
    asking = rule("asks", "ask", args={"amount": {"type": "decimal", "gt": 50}})
    every = rule("every", "allow", args={"amount": {}})
    assert difference(loaded(asking, every), loaded(every))["rules.asks"].direction == "wider"
    assert difference(loaded(*amounts()), loaded(amounts()[0]))["rules.large"].direction == "narrower"


def test_what_comes_before_the_call() -> None:
    demanded, free = (rule("r", "allow", args={"id": {}}, **more) for more in ({"after": [{"tool": "u"}]}, {}))
    assert difference(loaded(demanded), loaded(free))["rules.r"].direction == "wider"
    assert difference(loaded(free), loaded(demanded))["rules.r"].direction == "narrower"
    same = rule("r", "allow", args={"id": {}}, after=[{"tool": "u", "same": ["id"]}])
    assert difference(loaded(demanded), loaded(same))["rules.r"].direction == "narrower"


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        ({"by": ["role:lead"]}, {}, "wider"),
        ({"by": ["role:lead"]}, {"by": ["role:lead", "role:clerk"]}, "wider"),
        ({"by": ["role:lead", "role:clerk"]}, {"by": ["role:lead"]}, "narrower"),
        ({"ttl": "15m"}, {"ttl": "1d"}, "wider"),
        ({"ttl": "1d"}, {"ttl": "15m"}, "narrower"),
        ({"show": ["a"]}, {"show": []}, "same"),
    ],
)
def test_who_answers_a_question(old: dict[str, Any], new: dict[str, Any], direction: str) -> None:
    changes = difference(*(loaded(rule("r", "ask", args={"a": {}}, approval=each)) for each in (old, new)))
    assert changes["rules.r"].direction == direction


def test_of_two_questions_the_first_one_counts() -> None:
    lead, anyone = rule("lead", "ask", approval={"by": ["role:lead"]}), rule("anyone", "ask")
    changes = difference(loaded(lead, anyone), loaded(anyone, lead))
    assert changes["rules.anyone"].direction == "wider"
    assert "asked about (role:lead) before, asked about now" in changes["rules.anyone"].example
    assert not [change for change in difference(loaded(anyone, lead), loaded(lead, anyone)).values() if change.widens]


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [("deny", "ask", "wider"), ("ask", "allow", "wider"), ("allow", "ask", "narrower"), ("ask", "deny", "narrower")],
)
def test_what_untrusted_content_does(old: str, new: str, direction: str) -> None:
    changes = difference(*(loaded(rule("r", "allow"), on_untrusted=each) for each in (old, new)))
    assert changes["on_untrusted"].direction == direction


@pytest.mark.parametrize(
    ("old", "new", "key", "direction"),
    [
        ({}, {"files": {"read": ["data"]}}, "files.read", "wider"),
        ({"files": {"read": ["data"]}}, {"files": {"read": ["data/orders"]}}, "files.read", "same"),
        ({"files": {"read": ["data"]}}, {"files": {"write": ["data/x"], "read": ["data"]}}, "files.write", "wider"),
        ({"files": {"read": ["data"]}}, {}, "files.read", "narrower"),
        ({"files": {"read": ["data"]}}, {"files": {"read": ["data", "database"]}}, "files.read", "wider"),
        ({}, {"secrets": ["KEY"]}, "secrets", "wider"),
        ({"secrets": ["KEY"]}, {}, "secrets", "narrower"),
        ({}, {"requirements": ["pypdf"]}, "requirements", "wider"),
        ({}, {"network": {"allow": ["api.example:443"]}}, "network.allow", "wider"),
        ({"network": {"allow": ["api.example:443"]}}, {}, "network.allow", "narrower"),
        ({}, {"limits": {"memory": "256Mi"}}, "limits.memory", "wider"),
        ({"limits": {"time": "10s"}}, {}, "limits.time", "narrower"),
        ({}, {"image": "other"}, "image", "may be wider"),
        ({}, {"isolation": "thread"}, "isolation", "wider"),
        ({"runtime": "gvisor"}, {"runtime": "any"}, "runtime", "wider"),
        ({"runtime": "gvisor"}, {"runtime": "runc"}, "runtime", "may be wider"),
        ({}, {"runtime": "gvisor"}, "runtime", "narrower"),
    ],
)
def test_every_part_of_the_sandbox(old: dict[str, Any], new: dict[str, Any], key: str, direction: str) -> None:
    changes = policy_difference(*(loaded(sandbox=each, effect="egress") for each in (old, new)))
    assert f"sandbox.{key}" in [change.key for change in changes]
    assert next(change.direction for change in changes if change.key == f"sandbox.{key}") == direction
    assert ("wider" in direction) == any(change.widens for change in changes)


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        ({"paths": ["/v1"]}, {"paths": ["/v1/orders"]}, "same"),
        ({"paths": ["/v1"]}, {"paths": ["/v10"]}, "may be wider"),
        ({"paths": ["/v1"]}, {}, "may be wider"),
        ({}, {"methods": ["GET"]}, "same"),
        ({"methods": ["GET"]}, {"methods": ["GET", "POST"]}, "may be wider"),
        ({"addresses": ["10.0.0.0/8"]}, {"addresses": ["10.1.0.0/16"]}, "same"),
        ({}, {"addresses": ["10.0.0.0/8"]}, "may be wider"),
        ({"tls": True}, {"tls": False}, "may be wider"),
        ({}, {"port": 80}, "may be wider"),
    ],
)
def test_what_of_a_host_may_be_reached(old: dict[str, Any], new: dict[str, Any], direction: str) -> None:
    base = {"host": "api.example", "port": 443}
    before, after = (loaded(sandbox={"network": {"allow": [{**base, **each}]}}) for each in (old, new))
    added = policy_difference(before, after)[0]
    assert (added.key, added.direction) == ("sandbox.network.allow", direction)


@pytest.mark.parametrize(
    ("old", "new", "key", "direction"),
    [
        ({"output": {"trust": "untrusted"}}, {"output": {"trust": "trusted"}}, "output.trust", "wider"),
        ({"recover": "ask"}, {"recover": "idempotent"}, "recover", "wider"),
        ({"effect": "write"}, {"effect": "read"}, "effect", "wider"),
        ({"effect": "exec"}, {"effect": "egress"}, "effect", "may be wider"),
    ],
)
def test_what_stands_beside_rules_and_sandbox(
    old: dict[str, Any], new: dict[str, Any], key: str, direction: str
) -> None:
    (change,) = policy_difference(loaded(**old), loaded(**new))
    assert (change.key, change.direction) == (key, direction)


def test_a_tool_without_a_policy_may_not_be_called() -> None:
    with_rules, without = loaded(rule("r", "allow")), loaded()
    (added,) = folder_difference({}, {"t": with_rules})
    assert (added.direction, added.example) == ("wider", "t() by support: denied before, allowed now")
    (gone,) = folder_difference({"t": with_rules}, {})
    assert gone.direction == "narrower"
    (empty,) = folder_difference({}, {"t": without})
    assert empty.direction == "same"


def test_the_desks_policies_do_not_differ_from_themselves() -> None:
    assert folder_difference(load_policies(DESK), load_policies(DESK)) == []


def test_reasons_and_tests_are_no_difference() -> None:
    test = {"agent": "a", "expect": "deny"}
    assert (
        policy_difference(loaded(rule("r", "allow")), loaded(rule("r", "allow", reason="another"), tests=[test])) == []
    )
