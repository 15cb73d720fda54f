"""What went wrong in other gates, each tried on this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bailiwick.gate import Allow, Ask, Call, Context, Deny, Origins, Source, decide
from bailiwick.policy import LoadedPolicy, Policy


def loaded(*rules: dict[str, Any]) -> LoadedPolicy:
    policy = Policy.model_validate({"tool": "t", "rules": rules})
    return LoadedPolicy(policy=policy, file=Path("t.yaml"))


def rule(decision: str = "allow", **args: Any) -> dict[str, Any]:
    return {"id": f"r-{decision}", "decision": decision, "agents": ["a"], "args": args, "reason": "r"}


def call(**args: Any) -> Call:
    return Call(id="c", tool="t", agent="a", args=args)


def test_no_policy_allows_nothing() -> None:
    """Progent allows everything where its policy is None."""
    assert isinstance(decide(call(), loaded(), Context()), Deny)


@pytest.mark.parametrize(
    "constraint", [{"enum": ["a"]}, {"regex": "a"}, {"from": ["user"]}, {"equals": "$session.user_id"}]
)
def test_an_argument_that_is_not_sent_does_not_skip_its_constraint(constraint: dict[str, Any]) -> None:
    """Progent looks only at the arguments that are there."""
    verdict = decide(call(), loaded(rule(x=constraint)), Context(session={"user_id": "a"}))
    assert isinstance(verdict, Deny)
    assert verdict.key == "args.x"


@pytest.mark.parametrize(
    "value", ["shop.example.evil.example", "evil.example/shop.example", "shopXexample", "shop.example\n"]
)
def test_a_regex_is_no_prefix(value: str) -> None:
    """Progent matches the beginning only."""
    assert isinstance(decide(call(x=value), loaded(rule(x={"regex": r"shop\.example"})), Context()), Deny)


def test_what_is_trusted_goes_through_and_what_is_not_is_asked_about_and_not_the_other_way_round() -> None:
    """One of CaMeL's policies is inverted: it lets through what has the wrong readers."""
    policy = loaded(rule(x={"from": ["user"]}))
    said, read = Source(label="user", values=("Bob",)), Source(label="untrusted:page", values=("Eve",))
    known = Context(origins=Origins([said, read]))
    assert isinstance(decide(call(x="Bob"), policy, known), Allow)
    assert isinstance(decide(call(x="Eve"), policy, known), Ask)


@pytest.mark.parametrize("value", ["s", "send", "e", "nd"])
def test_a_regex_in_brackets_is_a_set_of_letters_and_is_seen_to_be_one(value: str) -> None:
    """The rule of Invariant's README is a character class, which any of its letters satisfies.

    Here too ``[send_email]`` is a class, since a regex is a regex; but it stands for one letter of the whole value, so
    that it lets through nothing that was not meant, and the author's own test says at once that it does not fit.
    """
    verdict = decide(call(x=value), loaded(rule(x={"regex": "[send_email]"})), Context())
    assert isinstance(verdict, Allow) == (len(value) == 1)
    assert isinstance(decide(call(x="send_email"), loaded(rule(x={"regex": "[send_email]"})), Context()), Deny)


def test_a_misspelt_restriction_is_no_missing_one() -> None:
    with pytest.raises(ValidationError):
        loaded(rule(x={"form": ["user"]}))


def test_an_approval_rule_does_not_open_what_a_deny_rule_closes() -> None:
    verdict = decide(call(x=1), loaded(rule("ask", x={}), rule("allow", x={}), rule("deny", x={})), Context())
    assert isinstance(verdict, Deny)
