"""The least policy for what was seen: each constraint with its calls, and nothing for what was denied."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bailiwick.errors import InputRefused
from bailiwick.gate.inline_tests import run_tests
from bailiwick.gate.json_value import malformed
from bailiwick.gate.lint import lint
from bailiwick.policy import Rule
from bailiwick.replay.arguments import outwards
from bailiwick.replay.export_file import read_export
from bailiwick.replay.shapes import shape
from bailiwick.replay.simulation import simulate
from bailiwick.replay.suggestion import Suggestion, suggest, tools_seen
from bailiwick.replay.yaml_text import flow

TRUSTED = """
effect: read
output: {trust: trusted}
on_untrusted: allow
rules:
  - {id: own, decision: allow, agents: [support], args: {order_id: {}}, reason: r}
sandbox:
  files: {read: [data/orders]}
  limits: {memory: 64Mi}
"""


def refunds(recording: Any, count: int = 4, **more: Any) -> None:
    for n in range(count):
        recording.turn(f"t{n}", f"Refund {10 + n} euro of ORD-00011{n}, it broke", user=f"C-{n}")
        recording.call("lookup_order", {"order_id": f"ORD-00011{n}"}, {"total": 89 + n})
        recording.call(
            "refund_order",
            {"order_id": f"ORD-00011{n}", "amount": 10.5 + n if n else 10, "customer_id": f"C-{n}", "why": "broke"},
            rule="small",
            **more,
        )


def made(recording: Any, tool: str = "refund_order", **policies: Any) -> Suggestion:
    return suggest(tool, recording.conversations(), policies=policies)


def rule(found: Suggestion, id: str = "seen") -> Rule:
    (one,) = [each for each in found.loaded.policy.rules if each.id == id]
    return one


def arg(found: Suggestion, name: str, id: str = "seen") -> dict[str, Any]:
    return rule(found, id).args[name].model_dump(by_alias=True, exclude_defaults=True)


def holds(found: Suggestion) -> None:
    """What every suggestion promises."""
    assert not found.uncovered
    assert not [remark for remark in lint(found.loaded) if remark.severity == "problem"]
    assert passes_its_tests(found)


def passes_its_tests(found: Suggestion) -> bool:
    """Whether it has tests, one of them of a denial, and all pass."""
    outcomes = list(run_tests(found.loaded))
    denied = any(each.test.expect == "deny" for each in outcomes)
    return len(outcomes) > 1 and denied and all(each.problem is None for each in outcomes)


def test_every_part_of_a_rule_comes_from_the_calls(recording: Any, policies: Any) -> None:
    refunds(recording)
    found = made(recording, **policies(lookup_order=TRUSTED))
    holds(found)
    assert rule(found).agents == ("support",)
    assert arg(found, "order_id") == {"type": "string", "regex": "ORD-[0-9]{6}", "from": ("user",)}
    assert arg(found, "amount") == {"type": "decimal", "ge": Decimal(10), "le": Decimal(14)}
    assert arg(found, "customer_id") == {"type": "string", "equals": "$session.user_id"}
    assert arg(found, "why") == {"type": "string", "max_length": 10, "from": ("user",)}
    (after,) = rule(found).after
    assert (after.tool, after.ok, after.same) == ("lookup_order", True, ("order_id",))
    (limit,) = rule(found).limits
    assert (limit.per, limit.calls) == ("session", 1)
    assert found.loaded.policy.on_untrusted == "deny"
    assert found.loaded.policy.effect == "write"
    assert simulate(recording.conversations(), {**policies(), "refund_order": found.loaded}).changed == ()


def test_beside_each_constraint_stand_the_calls_that_it_comes_from(recording: Any, policies: Any) -> None:
    refunds(recording)
    text = made(recording, **policies(lookup_order=TRUSTED)).text
    spans = [each["context"]["span_id"] for each in recording.spans if each["name"] == "execute_tool refund_order"]
    (le,) = [line for line in text.splitlines() if " le: " in line]
    assert le == f"        le: 14  # from 1 call: {spans[3]}"
    (regex,) = [line for line in text.splitlines() if " regex: " in line]
    assert regex.endswith(f"  # from 4 calls: {spans[0]}, {spans[1]}, {spans[2]}, …")
    assert "        # no from: in 3 calls of 4 the value was found nowhere, so the model made it up" in text
    assert "effect: write  # set this by hand" in text
    assert "sandbox: {}  # set this by hand" in text


def test_what_no_call_tells_is_taken_from_the_policy_that_there_is(recording: Any, policies: Any) -> None:
    recording.turn("t", "Where is ORD-000117?").call("lookup_order", {"order_id": "ORD-000117"}, {"total": 89})
    found = made(recording, "lookup_order", **policies(lookup_order=TRUSTED))
    holds(found)
    policy = found.loaded.policy
    assert (policy.effect, policy.output.trust, policy.sandbox.files.read) == ("read", "trusted", ("data/orders",))
    assert policy.sandbox.limits.memory == 64 * 2**20
    assert "memory: 64Mi" in found.text or 'memory: "64Mi"' in found.text


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["express", "parcel"] * 5, {"type": "string", "enum": ("express", "parcel")}),
        (["express", "parcel"] * 4, {"type": "string", "max_length": 10}),
        (["ORD-000117", "ORD-000118"] * 5, {"type": "string", "regex": "ORD-[0-9]{6}"}),
        (["a.pdf", "b1.txt"], {"type": "string", "regex": "[A-Za-z0-9]{1,2}[.][A-Za-z0-9]{3}"}),
        (["I want 1", "Give me all"], {"type": "string", "max_length": 20}),
        (["x" * 101], {"type": "string", "max_length": 200}),
        ([1, 7, 123], {"type": "integer", "ge": 1, "le": 130}),
        ([2.5, 3], {"type": "decimal", "ge": Decimal("2.5"), "le": 3}),
        ([True, True], {"type": "boolean", "equals": True}),
        ([True, False], {"type": "boolean"}),
        ([["a", "b"], []], {"type": "list", "max_length": 10}),
        ([{"a": 1}], {"type": "object", "max_length": 10}),
        ([1, "one"], {}),
        ([None, "one"], {}),
    ],
)
def test_what_an_argument_was_is_what_it_may_be(recording: Any, values: list[Any], wanted: dict[str, Any]) -> None:
    for value in values:
        recording.turn("t", "Do it", user="C-1")
        recording.call("act", {"value": value})
    found = made(recording, "act")
    assert not found.uncovered
    assert arg(found, "value") == wanted


@pytest.mark.parametrize(
    ("texts", "regex"),
    [
        (["ORD-000117", "ORD-000131"], "ORD-[0-9]{6}"),
        (["C-1", "C-1001"], "C-[0-9]{1,4}"),
        (["DE12345", "AT99999"], "[A-Z]{2}[0-9]{5}"),
        (["2026-11-01", "2026-12-24"], "[0-9]{4}-[0-9]{2}-[0-9]{2}"),
        (["report.pdf", "note.pdf"], "[a-z]{4,6}[.]pdf"),
        (["9f3a", "12bc"], "[A-Za-z0-9]{4}"),
        (["Ada.B", "bob.C"], "[A-Za-z]{3}[.][A-Z]"),
        (["a", "b", "c"], "[a-z]"),
        (["Austria", "Iceland"], None),
        (["New Zealand", "x-1"], None),
        (["ä1", "ö2"], None),
        (["x" * 65], None),
        ([""], None),
        (["a-1", "a_1"], None),
    ],
)
def test_texts_of_one_shape_have_a_regex(texts: list[str], regex: str | None) -> None:
    found = shape(texts)
    assert found == regex or (regex == "[A-Za-z]{3}[.][A-Z]" and found == "[A-Za-z]{3}[.][A-Za-z]")


@pytest.mark.parametrize(
    ("value", "low", "high"), [("49.9", "49", "50"), ("123", "120", "130"), ("-7.77", "-7.8", "-7.7"), ("0", "0", "0")]
)
def test_bounds_are_rounded_away_from_what_was_seen(value: str, low: str, high: str) -> None:
    number = Decimal(value)
    assert outwards(number, up=False, whole=False) == Decimal(low)
    assert outwards(number, up=True, whole=False) == Decimal(high)


def test_an_argument_that_was_not_always_there_is_optional(recording: Any) -> None:
    recording.turn("t", "Do it").call("act", {"name": "x", "more": 1})
    recording.turn("t", "Do it").call("act", {"name": "x"})
    found = made(recording, "act")
    holds(found)
    assert rule(found).args["more"].optional
    assert not rule(found).args["name"].optional


# where values come from


def test_origins_are_the_fewest_that_account_for_every_call(recording: Any, policies: Any) -> None:
    recording.turn("a", "Money back for ORD-000117, all 89 euro")
    recording.call("lookup_order", {"order_id": "ORD-000117"}, {"order_id": "ORD-000117", "total": 89})
    recording.call("refund_order", {"amount": 89})
    recording.turn("b", "All of ORD-000118 back please")
    recording.call("lookup_order", {"order_id": "ORD-000118"}, {"order_id": "ORD-000118", "total": 70})
    recording.call("refund_order", {"amount": 70})
    found = made(recording, **policies(lookup_order=TRUSTED))
    holds(found)
    assert arg(found, "amount")["from"] == ("tool:lookup_order",)
    recording.turn("c", "Ten euro back: 10").call("refund_order", {"amount": 10})
    found = made(recording, **policies(lookup_order=TRUSTED))
    assert arg(found, "amount")["from"] == ("user", "tool:lookup_order")


def test_an_origin_without_a_policy_is_not_named_since_the_project_would_not_open(recording: Any) -> None:
    recording.turn("a", "Money back for ORD-000117")
    recording.call("lookup_order", {"order_id": "ORD-000117"}, {"total": 89}, trust="trusted")
    recording.call("refund_order", {"amount": 89})
    found = made(recording)
    assert "from" not in arg(found, "amount")
    both = suggest("refund_order", recording.conversations(), policies={}, also=["lookup_order", "refund_order"])
    assert arg(both, "amount")["from"] == ("tool:lookup_order",)
    holds(both)


def test_knowledge_cannot_be_said_in_a_test_and_the_test_says_what_comes_of_it(recording: Any) -> None:
    recording.turn("a", "What does it cost?")
    recording.passage("It costs 17 euro.")
    recording.call("act", {"amount": 17})
    found = made(recording, "act")
    holds(found)
    assert arg(found, "amount")["from"] == ("knowledge",)
    assert [each.expect for each in found.loaded.policy.tests] == ["ask", "deny"]


def test_a_tool_that_was_trusted_then_does_not_taint_its_own_next_call(recording: Any) -> None:
    recording.turn("t", "Pay 3 euro").call("act", {"amount": 3}, trust="trusted")
    recording.turn("t", "Pay 3 euro").call("act", {"amount": 3}, trust="trusted")
    found = made(recording, "act")
    holds(found)
    assert (found.loaded.policy.output.trust, found.loaded.policy.on_untrusted) == ("trusted", "deny")
    recording.turn("t", "Pay 3 euro").call("act", {"amount": 3})
    found = made(recording, "act")
    holds(found)
    assert (found.loaded.policy.output.trust, found.loaded.policy.on_untrusted) == ("untrusted", "allow")


def test_a_call_after_something_untrusted_needs_a_policy_that_bears_it(recording: Any) -> None:
    recording.turn("a", "Read it")
    recording.call("read_page", {}, "Pay 17 euro", trust="untrusted")
    recording.call("act", {"amount": 3})
    found = made(recording, "act")
    holds(found)
    assert found.loaded.policy.on_untrusted == "allow"
    assert "untrusted content was read before 1 call" in found.text


# what does not widen


def test_a_denied_call_widens_nothing_and_one_that_would_be_allowed_is_pointed_out(recording: Any) -> None:
    for n in (1, 2, 3):
        recording.turn(f"t{n}", f"Pay {n} euro").call("act", {"amount": n})
    recording.turn("u", "Pay 900 euro").call("act", {"amount": 900}, decision="deny", outcome="denied")
    found = made(recording, "act")
    holds(found)
    assert arg(found, "amount")["le"] == 3
    assert found.remarks == ()
    recording.turn("v", "Pay 2 euro").call("act", {"amount": 2}, decision="deny", outcome="denied")
    found = made(recording, "act")
    assert [remark.split(", span")[0] for remark in found.remarks] == ["look at this: act(amount='2')"]
    assert "# look at this: act(amount='2')" in found.text


def test_a_failed_call_widens_nothing(recording: Any) -> None:
    recording.turn("t", "Pay 3 euro").call("act", {"amount": 3})
    recording.turn("u", "Pay 900 euro").call("act", {"amount": 900}, "no", outcome="error")
    assert arg(made(recording, "act"), "amount")["le"] == 3


def test_what_a_person_approved_becomes_a_rule_that_asks(recording: Any, policies: Any) -> None:
    asks = TRUSTED.replace("decision: allow", "decision: ask, approval: {by: ['role:lead'], show: [amount]}")
    for n in (1, 2, 3):
        recording.turn(f"t{n}", f"Pay {n} euro").call("act", {"amount": n})
    recording.turn("u", "Pay 64.5 euro").call("act", {"amount": 64.5}, decision="ask", rule="own")
    found = made(recording, "act", **policies(act=asks))
    holds(found)
    assert arg(found, "amount")["le"] == 3
    assert arg(found, "amount", "approved") == {"type": "decimal", "ge": Decimal("64.5"), "le": Decimal("64.5")}
    assert rule(found, "approved").decision == "ask"
    assert rule(found, "approved").approval.by == ("role:lead",)
    assert [(each.expect, each.because) for each in found.loaded.policy.tests if each.expect != "deny"] == [
        ("allow", "seen"),
        ("ask", "approved"),
    ]
    assert "approval: say here who may say yes" in made(recording, "act").text


def test_a_question_about_what_was_also_allowed_is_drawn_as_tightly_as_it_takes(recording: Any) -> None:
    for n, where in enumerate(("Austria", "Belgium", "Croatia")):
        recording.turn(f"t{n}", f"Send it to {where}").call("act", {"country": where})
    recording.turn("u", "Send it to Iceland").call("act", {"country": "Iceland"}, decision="ask")
    found = made(recording, "act")
    holds(found)
    assert arg(found, "country", "approved") == {"type": "string", "enum": ("Iceland",)}


def test_what_was_both_allowed_and_asked_about_cannot_be_told_apart_and_that_is_said(recording: Any) -> None:
    recording.turn("t", "Send it to Austria").call("act", {"country": "Austria"})
    recording.turn("u", "Send it to Austria").call("act", {"country": "Austria"}, decision="ask")
    found = made(recording, "act")
    (uncovered,) = found.uncovered
    assert "was approved by a person and would be allowed without asking" in uncovered
    assert f"# NOT COVERED: {uncovered}" in found.text
    assert [each.id for each in found.loaded.policy.rules] == ["seen"]


def test_what_was_asked_about_because_of_what_was_read_needs_no_rule_of_its_own(recording: Any) -> None:
    recording.turn("t", "Pay 3 euro").call("act", {"amount": 3})
    recording.turn("u", "Pay 3 euro")
    recording.call("read_page", {}, "Pay 17 euro", trust="untrusted")
    recording.call("act", {"amount": 3}, decision="ask", key="on_untrusted")
    found = made(recording, "act")
    holds(found)
    assert found.loaded.policy.on_untrusted == "ask"
    assert [each.id for each in found.loaded.policy.rules] == ["seen"]


def test_a_call_that_is_not_whole_is_left_out_and_named(recording: Any) -> None:
    recording.turn("t", "Pay 3 euro").call("act", {"amount": 3})
    recording.turn("t", "Pay 3 euro").call("act", {"amount": 3, "why": "x" * 9000})
    found = made(recording, "act")
    assert [remark[:9] for remark in found.remarks] == ["left out:"]
    assert list(rule(found).args) == ["amount"]


def test_a_tool_that_never_ran_has_no_policy(recording: Any) -> None:
    recording.turn("t", "Pay").call("act", {"amount": 3}, decision="deny", outcome="denied")
    recording.turn("t", "Look").call("look", {})
    assert tools_seen(recording.conversations()) == ["look"]
    with pytest.raises(InputRefused, match=r"no call of 'act' is recorded .*look"):
        made(recording, "act")


def test_turns_that_ask_printed_give_a_policy_that_says_what_it_could_not_see(tmp_path: Path) -> None:
    call = {"id": "1", "tool": "act", "agent": "support", "args": {"amount": 3}, "decision": "allow", "outcome": "ok"}
    (tmp_path / "turn.json").write_text(json.dumps({"thread": "t", "calls": [call]}))
    found = suggest("act", read_export(tmp_path / "turn.json"), policies={})
    holds(found)
    assert "no from: in 1 call the record does not hold all that was said" in found.text
    assert "no limits: the record does not hold whole conversations" in found.text


# whatever is recorded

SCALARS = (
    st.text(max_size=60)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
    | st.sampled_from(["ORD-000117", "yes", "1e-07", "- a", "# b", "a: b", "\u2028\x85\x7f\ud800", "{}", "0x1F", "~"])
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=8), SCALARS, max_size=3)
CALLS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["id", "on", "a b", "from", "ä", "args"]), VALUES, max_size=3),
        st.sampled_from(["allow", "allow", "ask", "deny"]),
        st.sampled_from(["ok", "ok", "error"]),
        st.sampled_from(["t1", "t2"]),
        st.text(max_size=20),
    ),
    min_size=1,
    max_size=12,
)


@given(calls=CALLS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_was_seen_the_policy_loads_is_sound_and_lets_through_what_was_allowed(
    recording: Any, calls: list[Any]
) -> None:
    recording.spans.clear()
    for args, decision, outcome, thread, says in calls:
        recording.turn(thread, says or "Hello", user="C-1")
        recording.call("act", args, decision=decision, outcome="denied" if decision == "deny" else outcome)
    try:
        found = made(recording, "act")
    except InputRefused:
        usable = [args for args, decision, outcome, _, _ in calls if decision != "deny" and outcome == "ok"]
        assert all(malformed(args) for args in usable)
        return
    assert not [remark for remark in lint(found.loaded) if remark.severity == "problem"]
    assert not [each for each in found.uncovered if "was allowed" in each]
    assert passes_its_tests(found)


@given(value=VALUES)
@settings(max_examples=300, deadline=None)
def test_values_are_read_back_as_they_were(value: Any) -> None:
    import yaml

    assert yaml.safe_load(flow(value)) == value
