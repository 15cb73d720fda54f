"""May this call happen? One promise a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bailiwick.gate import Allow, Ask, Call, Context, Deny, PastCall, Verdict, decide
from bailiwick.policy import LoadedPolicy, Policy

FILE = Path("policies/refund.yaml")


def rule(**given: Any) -> dict[str, Any]:
    return {"id": "r", "decision": "allow", "agents": ["support"], "reason": "because", **given}


def loaded(*rules: dict[str, Any], lines: dict[str, int] | None = None, **more: Any) -> LoadedPolicy:
    policy = Policy.model_validate({"tool": "refund", "rules": rules, **more})
    return LoadedPolicy(policy=policy, file=FILE, lines=lines or {})


def call(agent: str = "support", /, **args: Any) -> Call:
    return Call(id="c", tool="refund", agent=agent, args=args)


def verdict(policy: LoadedPolicy, asked: Call, **known: Any) -> Verdict:
    return decide(asked, policy, Context(**known))


def allowed(constraint: dict[str, Any], value: Any, **known: Any) -> bool:
    return isinstance(verdict(loaded(rule(args={"x": constraint})), call(x=value), **known), Allow)


# Who decides


def test_a_policy_without_rules_allows_nothing() -> None:
    # Progent allows everything when its policy is None.
    denied = verdict(loaded(), call())
    assert isinstance(denied, Deny)
    assert denied.reason == "the policy has no rule that allows anything"


def test_a_call_that_no_rule_matches_is_denied() -> None:
    assert isinstance(verdict(loaded(rule(agents=["other"])), call()), Deny)


def test_an_allow_names_its_rule_and_where_it_is_written() -> None:
    assert verdict(loaded(rule(), lines={"rules.0": 5}), call()) == Allow(
        rule="r", reason="because", where="policies/refund.yaml:5"
    )


@pytest.mark.parametrize("order", [("deny", "ask", "allow"), ("allow", "ask", "deny"), ("ask", "deny", "allow")])
def test_deny_comes_before_ask_before_allow_in_whatever_order_they_are_written(order: tuple[str, ...]) -> None:
    rules = [rule(id=decision, decision=decision) for decision in order]
    assert isinstance(verdict(loaded(*rules), call()), Deny)
    assert isinstance(verdict(loaded(*(each for each in rules if each["id"] != "deny")), call()), Ask)


def test_only_deny_rules_allow_nothing_by_what_they_leave_out() -> None:
    # The inverted policy: what is not denied is not allowed for that.
    policy = loaded(rule(decision="deny", args={"amount": {"type": "decimal", "gt": 50}}))
    assert isinstance(verdict(policy, call(amount=10)), Deny)
    assert isinstance(verdict(policy, call(amount=60)), Deny)


def test_a_policy_for_another_tool_decides_nothing() -> None:
    denied = decide(Call(id="c", tool="other", agent="support", args={}), loaded(rule()), Context())
    assert isinstance(denied, Deny)
    assert denied.key == "tool"


def test_a_tool_that_is_not_offered_here_is_denied_as_such() -> None:
    denied = verdict(loaded(rule()), call(), offered=frozenset({"lookup"}))
    assert isinstance(denied, Deny)
    assert denied.key == "offered"
    assert isinstance(verdict(loaded(rule()), call(), offered=frozenset({"refund"})), Allow)
    assert isinstance(verdict(loaded(rule()), call(), offered=frozenset()), Deny)


@pytest.mark.parametrize(
    ("agents", "agent", "matches"),
    [
        ([], "support", False),
        (["support"], "support", True),
        (["support"], "Support", False),
        (["support"], "", False),
        (["a", "any"], "whoever", True),
    ],
)
def test_no_agents_is_nobody_for_allow_and_ask(agents: list[str], agent: str, matches: bool) -> None:
    assert isinstance(verdict(loaded(rule(agents=agents)), call(agent)), Allow) is matches
    assert isinstance(verdict(loaded(rule(decision="ask", agents=agents)), call(agent)), Ask) is matches


@pytest.mark.parametrize(("agents", "matches"), [([], True), (["any"], True), (["support"], True), (["other"], False)])
def test_no_agents_is_everybody_for_deny(agents: list[str], matches: bool) -> None:
    policy = loaded(rule(), rule(id="no", decision="deny", agents=agents))
    assert isinstance(verdict(policy, call()), Deny) is matches


# Arguments


def test_an_absent_argument_fails_its_constraint() -> None:
    # Progent skips the constraint of an argument that is not there.
    policy = loaded(rule(args={"amount": {"type": "decimal", "le": 50}}))
    denied = verdict(policy, call())
    assert isinstance(denied, Deny)
    assert denied.key == "args.amount"
    assert isinstance(verdict(loaded(rule(args={"amount": {"optional": True, "type": "decimal"}})), call()), Allow)
    assert isinstance(verdict(loaded(rule(args={"amount": {}})), call()), Deny)


def test_an_argument_that_the_rule_does_not_name_does_not_match() -> None:
    denied = verdict(loaded(rule(args={"a": {}})), call(a=1, b=2))
    assert isinstance(denied, Deny)
    assert (denied.key, denied.advice) == ("args.b", "Call it without the argument 'b'.")
    assert isinstance(verdict(loaded(rule(decision="ask")), call(b=2)), Deny)


def test_an_argument_that_a_deny_rule_does_not_name_saves_nobody() -> None:
    policy = loaded(rule(args={"a": {}, "b": {}}), rule(id="no", decision="deny", args={"a": {"equals": "bad"}}))
    assert verdict(policy, call(a="bad", b=1)).rule == "no"
    assert isinstance(verdict(policy, call(a="good", b=1)), Allow)


@pytest.mark.parametrize("value", ["O-1x", "xO-1", "O-1\n", "O-1\nO-1", "", "O-"])
def test_a_regex_matches_the_whole_value(value: str) -> None:
    # Progent matches a prefix.
    assert not allowed({"regex": "O-[0-9]"}, value)
    assert not allowed({"regex": "^O-[0-9]$"}, value)
    assert allowed({"regex": "O-[0-9]"}, "O-1")


def test_an_alternative_is_matched_as_a_whole_too() -> None:
    assert not allowed({"regex": "a|b"}, "ax")
    assert not allowed({"regex": "a|b"}, "xb")
    assert allowed({"regex": "(?i)yes|no"}, "YES")


@pytest.mark.parametrize(
    ("kind", "fits", "fails"),
    [
        ("string", ["", "x"], [1, None, True, ["x"], {"x": 1}, 1.0]),
        ("integer", [0, -5, 5.0, 10**40], [True, False, 5.5, "5", None, [5]]),
        ("decimal", [0, 1.5, -2, 10**40], [True, False, "1.5", None, [1]]),
        ("boolean", [True, False], [0, 1, "true", None]),
        ("list", [[], [1]], ["x", {}, None, 1]),
        ("object", [{}, {"a": 1}], [[], "x", None, 1]),
    ],
)
def test_types_are_what_json_says_and_a_truth_value_is_no_number(kind: str, fits: list[Any], fails: list[Any]) -> None:
    assert [value for value in fits if not allowed({"type": kind}, value)] == []
    assert [value for value in fails if allowed({"type": kind}, value)] == []


@pytest.mark.parametrize(
    ("bounds", "fits", "fails"),
    [
        ({"gt": 0, "le": 50}, [0.01, 50, 50.0, 1e-300], [0, -1, 50.01, 51, 10**400, 1e308, -0.0]),
        ({"ge": "0.1", "lt": "0.3"}, [0.1, 0.2, 0.29999999999999], [0.3, 0.09, 0.1 + 0.2]),
        ({"le": 9007199254740992}, [9007199254740992], [9007199254740993]),
    ],
)
def test_numbers_are_compared_as_the_decimals_that_were_written(
    bounds: dict[str, Any], fits: list[Any], fails: list[Any]
) -> None:
    constraint = {"type": "decimal", **bounds}
    assert [value for value in fits if not allowed(constraint, value)] == []
    assert [value for value in fails if allowed(constraint, value)] == []


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), float("-inf"), 10**5000, object(), {1: 2}, b"x", "\ud800", {"\ud800": 1}, (1, 2), {1}],
    ids=["nan", "inf", "-inf", "huge", "object", "key", "bytes", "surrogate", "surrogate key", "tuple", "set"],
)
@pytest.mark.parametrize("nested", [False, True])
def test_what_is_no_json_is_denied_whatever_the_rules_say(value: Any, nested: bool) -> None:
    denied = verdict(loaded(rule(args={"x": {}})), call(x=[{"y": value}] if nested else value))
    assert isinstance(denied, Deny)
    assert denied.key == "call"


def test_nesting_without_end_is_denied() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert verdict(loaded(rule(args={"x": {}})), call(x=deep)).reason.startswith("the call is malformed")
    loop: list[Any] = []
    loop.append(loop)
    assert isinstance(verdict(loaded(rule(args={"x": {}})), call(x=loop)), Deny)


@pytest.mark.parametrize("args", [None, [], "x", 5, {1: 2}, {None: 1}])
def test_arguments_that_are_no_object_are_denied(args: Any) -> None:
    found = decide(Call(id="c", tool="refund", agent="support", args=args), loaded(rule()), Context())
    assert isinstance(found, Deny)
    assert found.key == "call"


def test_enum_and_equals_do_not_mix_types() -> None:
    assert allowed({"enum": [1, "a"]}, 1)
    assert allowed({"enum": [1, "a"]}, 1.0)
    assert not allowed({"enum": [1, "a"]}, True)
    assert not allowed({"enum": [1, "a"]}, "1")
    assert allowed({"equals": True}, True)
    assert not allowed({"equals": True}, 1)
    assert not allowed({"equals": 1}, True)
    assert not allowed({"equals": "a"}, ["a"])


def test_length_is_limited_for_text_and_lists() -> None:
    assert allowed({"max_length": 3}, "abc")
    assert not allowed({"max_length": 3}, "abcd")
    assert not allowed({"max_length": 3}, [1, 2, 3, 4])
    assert not allowed({"max_length": 3}, 1)


def test_text_of_any_length_is_not_matched_for_minutes() -> None:
    assert not allowed({"regex": "[a-z]+"}, "a" * 5000)
    assert allowed({"regex": "[a-z]+", "max_length": 9000}, "a" * 5000)


# Who is speaking


def test_an_unset_session_value_equals_nothing() -> None:
    constraint = {"equals": "$session.user_id"}
    for session in ({}, {"user_id": None}, {"user_id": ""}):
        for value in (None, "", "$session.user_id", "user_id", "None"):
            assert not allowed(constraint, value, session=session)
    assert allowed(constraint, "C-1", session={"user_id": "C-1"})
    assert not allowed(constraint, "C-2", session={"user_id": "C-1"})
    assert not allowed(constraint, True, session={"user_id": 1})


# What came before


def test_a_call_must_have_come_before_with_the_same_arguments_and_have_succeeded() -> None:
    policy = loaded(rule(args={"order": {}}, after=[{"tool": "lookup", "same": ["order"]}]))

    def after(*past: PastCall) -> bool:
        return isinstance(verdict(policy, call(order="O-1"), past=past), Allow)

    assert after(PastCall(tool="lookup", args={"order": "O-1", "more": 1}, ok=True))
    assert not after()
    assert not after(PastCall(tool="lookup", args={"order": "O-2"}, ok=True))
    assert not after(PastCall(tool="lookup", args={"order": "O-1"}, ok=False))
    assert not after(PastCall(tool="lookup", args={}, ok=True))
    assert not after(PastCall(tool="look", args={"order": "O-1"}, ok=True))


def test_one_call_must_have_all_the_same_arguments() -> None:
    policy = loaded(rule(args={"a": {}, "b": {}}, after=[{"tool": "t", "same": ["a", "b"]}]))
    past = (PastCall(tool="t", args={"a": 1, "b": 0}, ok=True), PastCall(tool="t", args={"a": 0, "b": 1}, ok=True))
    assert isinstance(verdict(policy, call(a=1, b=1), past=past), Deny)
    assert isinstance(verdict(policy, call(a=1, b=0), past=past), Allow)
    assert isinstance(verdict(policy, call(a=True, b=0), past=past), Deny)


# Untrusted content


@pytest.mark.parametrize(
    ("on_untrusted", "decision", "becomes"),
    [
        ("allow", "allow", Allow), ("ask", "allow", Ask), ("deny", "allow", Deny),
        ("allow", "ask", Ask), ("ask", "ask", Ask), ("deny", "ask", Deny),
    ],
)  # fmt: skip
def test_what_becomes_of_a_call_once_untrusted_content_was_read(
    on_untrusted: str, decision: str, becomes: type[Any]
) -> None:
    approval = {"by": ["role:lead"]}
    policy = loaded(rule(decision=decision, approval=approval), on_untrusted=on_untrusted, lines={"on_untrusted": 6})
    found = verdict(policy, call(), untrusted=("read_page",))
    assert type(found) is becomes
    if becomes is not Allow and (decision, becomes) != ("ask", Ask):
        assert (found.key, found.where) == ("on_untrusted", "policies/refund.yaml:6")
        assert "read_page" in found.reason
    if isinstance(found, Ask):
        assert found.approval.by == ("role:lead",)
    assert type(verdict(policy, call())) is (Allow if decision == "allow" else Ask)


# Deny rules


@pytest.mark.parametrize("value", [["/etc/passwd"], {"p": "/etc/passwd"}, 5, None, "x" * 5000])
def test_a_deny_rule_is_not_dodged_by_a_value_it_cannot_judge(value: Any) -> None:
    policy = loaded(
        rule(args={"path": {}}), rule(id="no", decision="deny", args={"path": {"type": "string", "regex": "/etc/.*"}})
    )
    assert verdict(policy, call(path=value)).rule == "no"
    assert verdict(policy, call(path="/etc/passwd")).rule == "no"
    assert isinstance(verdict(policy, call(path="/home")), Allow)


def test_a_deny_rule_that_asks_for_a_type_only_judges_by_it() -> None:
    policy = loaded(rule(args={"x": {}}), rule(id="no", decision="deny", args={"x": {"type": "list"}}))
    assert isinstance(verdict(policy, call(x="text")), Allow)
    assert verdict(policy, call(x=[])).rule == "no"


# Explanations


def test_a_denial_names_the_nearest_rule_and_what_it_failed_on() -> None:
    amount = {"type": "decimal", "gt": 0, "le": 50}
    policy = loaded(
        rule(id="small", args={"amount": amount, "order": {"regex": "O-[0-9]+"}}),
        rule(id="large", decision="ask", args={"amount": {"type": "decimal", "gt": 50, "le": 500}, "order": {}}),
        lines={"rules.0.args.amount.le": 9, "rules.1.args.amount.le": 15, "rules.0.args.order.regex": 10},
    )
    found = verdict(policy, call(amount=900, order="O-1"))
    assert isinstance(found, Deny)
    assert (found.rule, found.key, found.where) == ("large", "args.amount.le", "policies/refund.yaml:15")
    assert found.reason == "no rule matches; the nearest is 'large': args.amount.le: 900 is not at most 500"

    found = verdict(policy, call(amount=20, order="nonsense"))
    assert isinstance(found, Deny)
    assert (found.rule, found.key, found.where) == ("small", "args.order.regex", "policies/refund.yaml:10")


def test_a_value_is_shown_bounded_and_on_one_line() -> None:
    found = verdict(loaded(rule(args={"x": {"regex": "a"}})), call(x="line\nline" * 100_000))
    assert len(found.reason) < 300
    assert "\n" not in found.reason
    found = verdict(loaded(rule(args={"x": {"type": "string"}})), call(x=[["deep"] * 1000]))
    assert len(found.reason) < 300


SECRET: dict[str, Any] = {
    "regex": "TOP-[0-9]{9}", "gt": 31337, "equals": "hidden-value", "session": "C-secret", "file": "policies/refund",
}  # fmt: skip


@pytest.mark.parametrize(
    ("constraint", "value"),
    [
        ({"regex": SECRET["regex"]}, "x"),
        ({"type": "decimal", "gt": SECRET["gt"]}, 1),
        ({"equals": SECRET["equals"]}, "x"),
        ({"enum": [SECRET["equals"]]}, "x"),
        ({"equals": "$session.user_id"}, "x"),
        ({"max_length": SECRET["gt"], "type": "string"}, "x" * 31338),
    ],
)
def test_the_model_is_told_what_to_do_and_nothing_to_aim_by(constraint: dict[str, Any], value: Any) -> None:
    policy = loaded(rule(id="inner-rule", args={"x": constraint}))
    found = verdict(policy, call(x=value), session={"user_id": SECRET["session"]})
    assert isinstance(found, Deny)
    assert "'x'" in found.advice
    for internal in (*map(str, SECRET.values()), "inner-rule", "session", "args."):
        assert internal not in found.advice


def test_the_same_call_gets_the_same_verdict() -> None:
    policy = loaded(rule(args={"amount": {"type": "decimal", "le": 50}}))
    assert verdict(policy, call(amount=51)) == verdict(policy, call(amount=51))


def test_a_fault_of_the_gate_denies() -> None:
    class Hostile(dict[str, Any]):
        def __iter__(self) -> Any:
            raise RuntimeError("boom")

        def items(self) -> Any:
            raise RuntimeError("boom")

    found = decide(Call(id="c", tool="refund", agent="support", args=Hostile(a=1)), loaded(rule()), Context())
    assert isinstance(found, Deny)
    assert found.key == "gate"
    assert isinstance(decide(None, None, None), Deny)  # type: ignore[arg-type]
