"""What must hold for every policy and every call, tried with thousands of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bailiwick.gate import Allow, Ask, Call, Context, Deny, Origins, PastCall, Source, decide, leaves
from bailiwick.policy import LoadedPolicy, Policy, Used

NAMES = st.sampled_from(["a", "b"])
LIKELY = st.sampled_from(["a", "1", 1, 0, True, 0.5])  # values that the constraints below are about
AGENTS = st.sampled_from(["x", "y"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["1", 1, True, 1.0])
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
ANYTHING = (
    JSON
    | st.binary()
    | st.tuples(JSON)
    | st.sets(st.integers())
    | st.dictionaries(st.integers(), JSON)
    | st.complex_numbers()
)

CONSTRAINTS = st.one_of(
    st.just({}),
    st.just({"optional": True}),
    st.sampled_from(["string", "integer", "decimal", "boolean", "list", "object"]).map(lambda kind: {"type": kind}),
    st.sampled_from(["[a-z]+", "1", "a|b", ""]).map(lambda regex: {"regex": regex}),
    st.lists(st.sampled_from(["a", 1, True, 0.5]), min_size=1, max_size=3).map(lambda values: {"enum": values}),
    st.sampled_from(["a", 1, True, "$session.user_id", "$session.none"]).map(lambda value: {"equals": value}),
    st.integers(-3, 3).map(lambda bound: {"type": "decimal", "ge": bound, "le": bound + 2}),
    st.integers(0, 3).map(lambda length: {"max_length": length}),
    st.sampled_from([["user"], ["user", "tool:u"], ["model"], ["untrusted:u"]]).map(lambda named: {"from": named}),
)  # fmt: skip
AFTER = st.lists(
    st.builds(
        lambda tool, ok, same: {"tool": tool, "ok": ok, "same": same},
        st.sampled_from(["t", "u"]), st.booleans(), st.lists(NAMES, max_size=2),
    ),
    max_size=1,
)  # fmt: skip


LIMITS = st.lists(
    st.builds(
        lambda per, calls: {"per": per, "calls": calls},
        st.sampled_from(["session", "user", "all"]), st.integers(0, 3),
    ),
    max_size=1,
)  # fmt: skip


def rules(*decisions: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    rule = st.fixed_dictionaries(
        {
            "decision": st.sampled_from(decisions),
            "agents": st.sampled_from([["any"], ["any"], ["x"], ["x", "y"], []]),
            "args": st.dictionaries(NAMES, CONSTRAINTS, max_size=2),
            "after": AFTER,
            "limits": LIMITS,
            "reason": st.just("r"),
        }
    )
    return st.lists(rule, max_size=4).map(
        lambda found: [
            {**each, "id": f"r{n}", "limits": each["limits"] if each["decision"] != "deny" else []}
            for n, each in enumerate(found)
        ]
    )


ENTERED = st.lists(
    st.builds(
        lambda label, value, made: Source(label=label, values=tuple(leaves(value)), made_from=made),
        st.sampled_from(["user", "operator", "tool:u", "untrusted:u"]),
        JSON,
        st.sampled_from([None, None, ("a",), ()]),
    ),
    max_size=3,
).map(Origins)
USED = st.dictionaries(
    st.tuples(st.sampled_from(["r0", "r1"]), st.just(0)), st.builds(Used, calls=st.integers(0, 3)), max_size=2
)
CALLS = st.builds(
    lambda agent, args: Call(id="c", tool="t", agent=agent, args=args),
    AGENTS,
    st.dictionaries(NAMES, LIKELY | JSON, max_size=2),
)
CONTEXTS = st.builds(
    lambda session, past, untrusted, origins, used: Context(
        session=session, past=tuple(past), untrusted=untrusted, origins=origins, used=used
    ),
    st.dictionaries(st.just("user_id"), JSON, max_size=1),
    st.lists(
        st.builds(
            lambda tool, args, ok: PastCall(tool=tool, args=args, ok=ok),
            st.sampled_from(["t", "u"]), st.dictionaries(NAMES, JSON, max_size=2), st.booleans(),
        ),
        max_size=2,
    ),
    st.sampled_from([(), ("page",)]),
    ENTERED,
    USED,
)  # fmt: skip
UNTRUSTED = st.sampled_from(["allow", "ask", "deny"])


def loaded(written: list[dict[str, Any]], on_untrusted: str = "allow") -> LoadedPolicy:
    policy = Policy.model_validate({"tool": "t", "rules": written, "on_untrusted": on_untrusted})
    return LoadedPolicy(policy=policy, file=Path("t.yaml"))


def strictness(verdict: Allow | Ask | Deny) -> int:
    return [Allow, Ask, Deny].index(type(verdict))


@settings(max_examples=200)
@given(rules("allow", "ask", "deny"), st.dictionaries(NAMES | st.integers(), ANYTHING, max_size=3), ANYTHING, CONTEXTS)
def test_it_never_raises_and_always_gives_a_reason(
    written: list[dict[str, Any]], args: dict[Any, Any], agent: Any, context: Context
) -> None:
    verdict = decide(Call(id="c", tool="t", agent=agent, args=args), loaded(written), context)
    assert verdict.reason
    assert len(verdict.reason) < 2000
    if isinstance(verdict, Deny):
        assert verdict.advice
    # Nothing is raised on the way and swallowed either: only calls of a hostile shape may trip the gate.
    if isinstance(agent, str) and all(isinstance(name, str) for name in args):
        assert getattr(verdict, "key", "") != "gate"


@settings(max_examples=200)
@given(rules("deny"), CALLS, CONTEXTS)
def test_without_a_rule_that_allows_or_asks_everything_is_denied(
    written: list[dict[str, Any]], call: Call, context: Context
) -> None:
    assert isinstance(decide(call, loaded(written), context), Deny)


@settings(max_examples=200)
@given(rules("allow", "ask", "deny"), rules("deny"), UNTRUSTED, CALLS, CONTEXTS)
def test_one_more_deny_rule_never_opens_anything(
    written: list[dict[str, Any]], more: list[dict[str, Any]], on_untrusted: str, call: Call, context: Context
) -> None:
    stricter = [*written, *({**each, "id": f"more{n}"} for n, each in enumerate(more))]
    before, after = (decide(call, loaded(each, on_untrusted), context) for each in (written, stricter))
    assert strictness(after) >= strictness(before)


@settings(max_examples=200)
@given(rules("allow", "ask", "deny"), st.integers(0, 3), CALLS, CONTEXTS)
def test_one_allow_rule_less_never_opens_anything(
    written: list[dict[str, Any]], index: int, call: Call, context: Context
) -> None:
    kept = [each for n, each in enumerate(written) if n != index or each["decision"] != "allow"]
    assert strictness(decide(call, loaded(kept), context)) >= strictness(decide(call, loaded(written), context))


@settings(max_examples=200)
@given(rules("allow", "ask", "deny"), UNTRUSTED, CALLS, CONTEXTS)
def test_untrusted_content_never_opens_anything(
    written: list[dict[str, Any]], on_untrusted: str, call: Call, context: Context
) -> None:
    clean = replace(context, untrusted=())
    tainted = replace(context, untrusted=("page",))
    policy = loaded(written, on_untrusted)
    assert strictness(decide(call, policy, tainted)) >= strictness(decide(call, policy, clean))


@settings(max_examples=150)
@given(rules("allow", "ask", "deny"), CALLS, CONTEXTS)
def test_what_is_allowed_is_named_by_a_rule_whose_every_condition_holds(
    written: list[dict[str, Any]], call: Call, context: Context
) -> None:
    verdict = decide(call, loaded(written), context)
    if isinstance(verdict, Deny):
        return
    rule = next(each for each in written if each["id"] == verdict.rule)
    assert {"any", call.agent} & set(rule["agents"])
    assert set(call.args) <= set(rule["args"])
    for name, constraint in rule["args"].items():
        assert name in call.args or constraint.get("optional")
    for each in rule["after"]:
        assert any(past.tool == each["tool"] and past.ok is each["ok"] for past in context.past)


@settings(max_examples=150)
@given(rules("allow", "ask", "deny"), CALLS, CONTEXTS)
def test_the_same_question_gets_the_same_answer(written: list[dict[str, Any]], call: Call, context: Context) -> None:
    policy = loaded(written)
    assert decide(call, policy, context) == decide(call, policy, context) == decide(call, loaded(written), context)


@settings(max_examples=150)
@given(rules("allow", "ask", "deny"), CALLS, CONTEXTS)
def test_knowing_less_of_where_values_come_from_never_opens_anything(
    written: list[dict[str, Any]], call: Call, context: Context
) -> None:
    """Without ``model`` among the origins, and without deny rules that need to know one."""
    asking = [
        {**each, "args": {name: arg for name, arg in each["args"].items() if arg != {"from": ["model"]}}}
        for each in written
        if each["decision"] != "deny"
    ]
    policy = loaded(asking)
    blind = replace(context, origins=Origins())
    assert strictness(decide(call, policy, blind)) >= strictness(decide(call, policy, context))


@settings(max_examples=150)
@given(rules("allow", "ask"), CALLS, CONTEXTS)
def test_more_use_of_limits_never_opens_anything_that_one_rule_holds(
    written: list[dict[str, Any]], call: Call, context: Context
) -> None:
    policy = loaded(written[:1])
    more = {("r0", 0): Used(calls=context.used.get(("r0", 0), Used()).calls + 1)}
    used, less = (decide(call, policy, replace(context, used=each)) for each in (more, context.used))
    assert strictness(used) >= strictness(less)
