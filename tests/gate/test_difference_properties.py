"""Whatever two versions of a policy differ in: a call that comes out less strictly is never passed over in silence."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bailiwick.gate import NOWHERE, Allow, Ask, Call, Context, Deny, Origins, PastCall, Source, decide
from bailiwick.gate.difference import policy_difference
from bailiwick.policy import ArgRule, LoadedPolicy, Policy, Used

NAMES = ["a", "b"]
BOUNDS = st.integers(-1, 3)
EDGES = ["a", "b", "ab", "1", 1, 0, 2, 3, -1, -2, 6, True, False, 0.5, 1.5, 1.0, None, [], ["a"], {}, "x" * 5000]


def ranges(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    low = st.sampled_from(["gt", "ge"])
    high = st.sampled_from(["lt", "le"])
    return st.builds(
        lambda low, bottom, high, more: {"type": kind, low: bottom, high: bottom + 1 + more},
        low, BOUNDS, high, st.integers(0, 2),
    ) | st.builds(lambda key, bound: {"type": kind, key: bound}, low | high, BOUNDS)  # fmt: skip


CONSTRAINTS = st.one_of(
    st.just({}),
    st.sampled_from(["string", "integer", "decimal", "boolean", "list"]).map(lambda kind: {"type": kind}),
    st.sampled_from(["[ab]+", "1", "a|b", "a"]).map(lambda regex: {"regex": regex}),
    st.sampled_from(["[ab]+", "a"]).map(lambda regex: {"regex": regex, "max_length": 1}),
    st.lists(st.sampled_from(["a", 1, True, 0.5, "ab"]), min_size=1, max_size=3).map(lambda values: {"enum": values}),
    st.sampled_from(["a", 1, True, "$session.user_id"]).map(lambda value: {"equals": value}),
    st.integers(0, 2).map(lambda length: {"max_length": length}),
    ranges("integer"),
    ranges("decimal"),
)  # fmt: skip
ORIGINS = st.sampled_from(
    [
        {}, {}, {}, {"from": ["user"]}, {"from": ["user", "tool:u"]}, {"from": ["model"]}, {"from": ["untrusted:u"]},
        {"from": ["any"]}, {"links": ["user"]}, {"without": ["pii"]},
    ]
)  # fmt: skip
ARGS = st.builds(
    lambda constraint, optional, origins: {
        **constraint,
        **({"optional": True} if optional else {}),
        **(origins if constraint.get("type") != "boolean" else {}),
    },
    CONSTRAINTS,
    st.sampled_from([False, False, True]),
    ORIGINS,
)
LIMITS = st.lists(
    st.builds(
        lambda per, window, calls: {"per": per, "calls": calls, **({"window": window} if window else {})},
        st.sampled_from(["all", "session"]), st.sampled_from(["", "1d", "1h"]), st.integers(0, 2),
    ),
    max_size=1,
)  # fmt: skip
RULE = st.fixed_dictionaries(
    {
        "decision": st.sampled_from(["allow", "ask", "deny"]),
        "agents": st.sampled_from([["any"], ["x"], ["x", "y"], []]),
        "args": st.dictionaries(st.sampled_from(NAMES), ARGS, max_size=2),
        "after": st.lists(
            st.fixed_dictionaries(
                {
                    "tool": st.just("u"),
                    "ok": st.booleans(),
                    "same": st.lists(st.sampled_from(NAMES), max_size=1),
                }
            ),
            max_size=1,
        ),
        "limits": LIMITS,
        "approval": st.sampled_from([{}, {}, {"by": ["role:lead"]}, {"by": ["role:lead", "role:other"]}]),
        "reason": st.just("r"),
    }
)
RULES = st.lists(RULE, max_size=3)
UNTRUSTED = st.sampled_from(["allow", "ask", "deny"])


@st.composite
def versions(draw: st.DrawFn) -> tuple[LoadedPolicy, LoadedPolicy]:
    """Two versions, mostly with the same rules: one taken away, added, moved or changed, so that it is what counts."""
    old = draw(RULES)
    new = [dict(rule) for rule in old]
    for _ in range(draw(st.integers(0, 2))):
        match draw(st.sampled_from(["drop", "add", "change", "limit", "swap", "decide"])):
            case "drop" if new:
                new.pop(draw(st.integers(0, len(new) - 1)))
            case "add":
                new.insert(draw(st.integers(0, len(new))), draw(RULE))
            case "change" if new:
                place = draw(st.integers(0, len(new) - 1))
                name = draw(st.sampled_from(NAMES))
                new[place] = {**new[place], "args": {**new[place]["args"], name: draw(ARGS)}}
            case "limit" if new:
                place = draw(st.integers(0, len(new) - 1))
                new[place] = {**new[place], "limits": draw(LIMITS)}
            case "swap" if len(new) > 1:
                new.append(new.pop(0))
            case "decide" if new:
                place = draw(st.integers(0, len(new) - 1))
                new[place] = {**new[place], "decision": draw(st.sampled_from(["allow", "ask", "deny"]))}
            case _:
                pass
    return loaded(old, draw(UNTRUSTED)), loaded(new, draw(UNTRUSTED))


def loaded(rules: list[dict[str, Any]], on_untrusted: str) -> LoadedPolicy:
    numbered = [{**_that_may_stand(rule), "id": f"r{n}"} for n, rule in enumerate(rules)]
    policy = Policy.model_validate({"tool": "t", "rules": numbered, "on_untrusted": on_untrusted})
    return LoadedPolicy(policy=policy, file=Path("t.yaml"))


def _that_may_stand(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule that denies knows no limits and says nothing of what a value carries."""
    if rule["decision"] != "deny":
        return rule
    kept = {
        name: {key: value for key, value in arg.items() if key not in ("links", "without")}
        for name, arg in rule["args"].items()
    }
    return {**rule, "limits": [], "args": kept}


ABSENT = object()
PASTS = [
    (),
    (PastCall(tool="u", args={"a": "a", "b": 1}, ok=True),),
    (PastCall(tool="u", args={"a": "a", "b": 1}, ok=False), PastCall(tool="u", args={}, ok=True)),
]
SESSIONS = [{}, {"user_id": "a"}, {"user_id": 1}]
TRUST = [(), ("page",)]
ENTERED = [
    NOWHERE,
    Origins([Source(label="user", values=("a", 1))]),
    Origins(
        [
            Source(label="tool:u", values=("a", "ab", 1, 0.5), labels=frozenset({"pii"})),
            Source(label="untrusted:u", values=("b", 2)),
        ]
    ),
]
USED: list[dict[tuple[str, int], Used]] = [
    {},
    {("r0", 0): Used(calls=1)},
    {(f"r{n}", 0): Used(calls=2) for n in range(5)},
]


def every_call(values: list[Any], names: list[str]) -> Iterator[tuple[Call, Context]]:
    for agent, *chosen in itertools.product(["x", "y", "z"], *[[*values, ABSENT] for _ in names]):
        args = {name: value for name, value in zip(names, chosen, strict=True) if value is not ABSENT}
        for n, (session, past, untrusted) in enumerate(zip(SESSIONS, PASTS, TRUST * 2, strict=False)):
            call = Call(id="c", tool="t", agent=agent, args=args)
            for origins, used in ((NOWHERE, USED[n]), (ENTERED[1], USED[n - 1]), (ENTERED[2], USED[n - 2])):
                yield call, Context(session=session, past=past, untrusted=untrusted, origins=origins, used=used)


def less_strict(now: Allow | Ask | Deny, before: Allow | Ask | Deny) -> bool:
    """Written again here, so that the gate's own notion of it is not what judges it."""
    if isinstance(now, Ask) and isinstance(before, Ask):
        return bool(before.approval.by) and not (now.approval.by and set(now.approval.by) <= set(before.approval.by))
    return [Allow, Ask, Deny].index(type(now)) < [Allow, Ask, Deny].index(type(before))


def is_told_or_not_there(old: LoadedPolicy, new: LoadedPolicy, calls: Iterable[tuple[Call, Context]]) -> None:
    if any(change.widens for change in policy_difference(old, new)):
        return
    for call, context in calls:
        before, after = decide(call, old, context), decide(call, new, context)
        assert not less_strict(after, before), (call, context, before, after)


@settings(max_examples=400, deadline=None)
@given(versions())
def test_what_is_decided_less_strictly_is_told_as_wider(pair: tuple[LoadedPolicy, LoadedPolicy]) -> None:
    is_told_or_not_there(*pair, every_call(["a", "ab", 1, True, 0.5, None], NAMES))


ONE_ARGUMENT = st.builds(
    lambda decision, args: {"decision": decision, "agents": ["any"], "args": args, "reason": "r"},
    st.sampled_from(["allow", "ask", "deny", "deny"]),
    st.one_of(*[st.fixed_dictionaries({"a": ARGS})] * 4, st.just({}), st.just({"b": {"optional": True}})),
)


@st.composite
def edited(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rules, and the same with a key of one argument left out, or one more."""
    old = draw(st.lists(ONE_ARGUMENT, min_size=1, max_size=3))
    place = draw(st.integers(0, len(old) - 1))
    arg = old[place]["args"].get("a", {})
    if arg and draw(st.booleans()):
        left_out = draw(st.sampled_from(sorted(arg)))
        arg = {key: value for key, value in arg.items() if key != left_out}
    else:
        arg = {**arg, **draw(ARGS)}
    try:
        ArgRule.model_validate(arg)
    except ValidationError:
        reject()
    new = [*old[:place], {**old[place], "args": {"a": arg}}, *old[place + 1 :]]
    return (old, new) if draw(st.booleans()) else (new, old)


PAIRS = edited() | st.tuples(
    st.lists(ONE_ARGUMENT, min_size=1, max_size=3), st.lists(ONE_ARGUMENT, min_size=1, max_size=2)
)


@settings(max_examples=3000, deadline=None)
@given(PAIRS, st.booleans())
def test_so_it_is_at_the_edges_of_every_constraint(
    pair: tuple[list[dict[str, Any]], list[dict[str, Any]]], opened: bool
) -> None:
    """``opened``: both allow everything that no deny or ask rule is about, so that it is those that count."""
    old, new = pair
    every = [{"decision": "allow", "agents": ["any"], "args": {"a": {"optional": True}}, "reason": "r"}] * opened
    is_told_or_not_there(loaded(old + every, "allow"), loaded(new + every, "allow"), every_call(EDGES, ["a"]))


@settings(max_examples=300, deadline=None)
@given(RULES, UNTRUSTED)
def test_a_policy_does_not_differ_from_itself(rules: list[dict[str, Any]], on_untrusted: str) -> None:
    assert policy_difference(loaded(rules, on_untrusted), loaded(rules, on_untrusted)) == []


@settings(max_examples=300, deadline=None)
@given(RULES, UNTRUSTED, st.data())
def test_a_rule_more_that_denies_or_one_less_that_allows_is_no_widening(
    rules: list[dict[str, Any]], on_untrusted: str, data: st.DataObject
) -> None:
    denying = {**data.draw(RULE), "decision": "deny"}
    more = [
        *loaded(rules, on_untrusted).policy.rules,
        loaded([denying], "ask").policy.rules[0].model_copy(update={"id": "more"}),
    ]
    less = [rule for rule in more if rule.decision != "allow"]
    old = loaded(rules, on_untrusted)
    for kept in (more, less):
        new = LoadedPolicy(policy=old.policy.model_copy(update={"rules": tuple(kept)}), file=Path("t.yaml"))
        assert not [change for change in policy_difference(old, new) if change.widens]


@settings(max_examples=300, deadline=None)
@given(versions())
def test_wider_comes_with_a_call_that_shows_it(pair: tuple[LoadedPolicy, LoadedPolicy]) -> None:
    for change in policy_difference(*pair):
        if change.direction == "wider":
            assert " before, " in change.example
