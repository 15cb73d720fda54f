"""Calls that a new version of a policy decides less strictly than the old one: shown by an example, or not ruled out.

A call can come out less strictly only by one of these, and each is looked for:

- a rule that allows now what no old rule allowed, or asks about what no old rule allowed or asked about;
- a deny rule that is gone or smaller, so that something falls through to a rule that allows or asks;
- an ask rule that is gone or smaller, so that something falls through to a rule that allows;
- a question that more people may answer, or for longer;
- ``on_untrusted``, which turns what the rules give into something stricter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bailiwick.gate.decide import decide
from bailiwick.gate.json_value import shown
from bailiwick.gate.rule_order import pieces, rule_within, rules_apart, wherever_from
from bailiwick.gate.samples import sample_calls
from bailiwick.gate.verdict import Ask, Call, Context, Verdict
from bailiwick.policy import Approval, LoadedPolicy, Policy, Rule

__all__ = ["STRICTNESS", "Loosened", "less_strict", "loosened"]

STRICTNESS = {"allow": 0, "ask": 1, "deny": 2}


@dataclass(frozen=True, kw_only=True)
class Loosened:
    """A rule that lets more through, by being there or by being gone. Empty ``example``: it could not be ruled out."""

    key: str
    """``rules.ID`` or ``on_untrusted``."""
    why: Literal["opens", "no longer denies", "no longer asks", "approval", "on_untrusted"]
    example: str = ""


def loosened(old: LoadedPolicy, new: LoadedPolicy) -> list[Loosened]:
    """Everything by which ``new`` may decide a call less strictly than ``old``. Empty: provably nothing."""
    found = [*_opening(old, new), *_falling_through(old, new), *_approvals(old, new)]
    if STRICTNESS[new.policy.on_untrusted] < STRICTNESS[old.policy.on_untrusted] and _opens(new.policy):
        found.append(_seen(old, new, Loosened(key="on_untrusted", why="on_untrusted"), _opens(new.policy)))
    return found


def _opening(old: LoadedPolicy, new: LoadedPolicy) -> Iterator[Loosened]:
    before, after = old.policy, new.policy
    denied, asked = _of(after, "deny"), _of(after, "ask")
    asking_before = list(map(wherever_from, _opens(before)))
    for rule in _opens(after):
        # What a stricter new rule takes as a whole, this one never decides; that one is looked at by itself.
        match rule.decision:
            case "allow":
                ways = [(rule, [*_of(before, "allow"), *denied, *asked])]
                if _traces(rule):  # and what it asks about, which is the same values from elsewhere
                    ways.append((wherever_from(rule), [*asking_before, *denied, *asked]))
            case _:
                ways = [(rule, [*asking_before, *denied])]
        open_pieces = [
            piece
            for part, covering in ways
            for piece in pieces(part, covering)
            if not any(rule_within(piece, other) for other in covering)
        ]
        if open_pieces:
            yield _seen(old, new, Loosened(key=f"rules.{rule.id}", why="opens"), open_pieces)


def _falling_through(old: LoadedPolicy, new: LoadedPolicy) -> Iterator[Loosened]:
    before, after = old.policy, new.policy
    for gone in before.rules:
        match gone.decision:
            case "deny":
                why, stricter, opens = "no longer denies", _of(after, "deny"), _opens(after)
                parts = [gone]
            case "ask":
                gone = wherever_from(gone)
                why, stricter, opens = "no longer asks", _of(after, "deny") + _of(after, "ask"), _of(after, "allow")
                parts = pieces(gone, stricter)
            case _:
                continue
        if all(any(rule_within(part, other) for other in stricter) for part in parts):
            continue
        through = [
            piece
            for rule in opens
            for piece in pieces(rule, [gone, *stricter])
            if not rules_apart(piece, gone) and not any(rule_within(piece, other) for other in stricter)
        ]
        if through:
            yield _seen(old, new, Loosened(key=f"rules.{gone.id}", why=why), through, also=gone)


def less_strict(now: Verdict, before: Verdict) -> bool:
    """Whether ``now`` holds a call back less than ``before``: it asks in place of denying, or asks more people."""
    if isinstance(now, Ask) and isinstance(before, Ask):
        return _looser(now.approval, before.approval)
    return STRICTNESS[now.decision] < STRICTNESS[before.decision]


def _approvals(old: LoadedPolicy, new: LoadedPolicy) -> Iterator[Loosened]:
    """Questions that are answered by more people than before: the first ask rule that matches says by whom."""
    before, after = _asking(old.policy), _asking(new.policy)
    for n, rule in enumerate(after):
        for m, other in enumerate(before):
            # An allow rule over an old ask rule is no matter of approvals: it is found as falling through.
            if (rule.decision, other.decision) == ("allow", "ask") or not _looser(rule.approval, other.approval):
                continue
            if rules_apart(rule, other):
                continue
            earlier_before = any(rule_within(rule, each) for each in before[:m])
            earlier_now = any(rule_within(other, each) for each in after[:n])
            if not earlier_before and not earlier_now:
                yield _seen(old, new, Loosened(key=f"rules.{rule.id}", why="approval"), [rule], also=other)
                break


def _asking(policy: Policy) -> list[Rule]:
    """Rules that can ask, in the order in which they are tried, as what they can ask about."""
    allowing = [
        rule for rule in policy.rules if rule.decision == "allow" and (policy.on_untrusted == "ask" or _traces(rule))
    ]
    return _of(policy, "ask") + [wherever_from(rule) for rule in allowing]


def _traces(rule: Rule) -> bool:
    return any(arg.accepted is not None or arg.accepted_links is not None or arg.without for arg in rule.args.values())


def _looser(now: Approval, before: Approval) -> bool:
    more_people = bool(before.by) and not (now.by and set(now.by) <= set(before.by))
    more_calls = (now.bind, before.bind) == ("values", "args_hash")
    return more_people or more_calls or now.ttl > before.ttl


def _of(policy: Policy, decision: str) -> list[Rule]:
    rules = [rule for rule in policy.rules if rule.decision == decision]
    # A question is asked wherever a value comes from.
    return [wherever_from(rule) for rule in rules] if decision == "ask" else rules


def _opens(policy: Policy) -> list[Rule]:
    return [wherever_from(rule) if rule.decision == "ask" else rule for rule in policy.rules if rule.decision != "deny"]


def _seen(
    old: LoadedPolicy, new: LoadedPolicy, found: Loosened, rules: Sequence[Rule], *, also: Rule | None = None
) -> Loosened:
    """``found`` with a call that shows it, where one is found. It is the gate itself that judges the call."""
    policies = (new.policy, old.policy)
    for rule in rules:
        for call, context in sample_calls(rule, policies, also=also):
            before, after = decide(call, old, context), decide(call, new, context)
            if less_strict(after, before):
                return Loosened(key=found.key, why=found.why, example=_told(call, context, before, after))
    return found


def _told(call: Call, context: Context, before: Verdict, after: Verdict) -> str:
    args = ", ".join(f"{name}={shown(value)}" for name, value in call.args.items())
    with_ = [f"{name} = {shown(value)}" for name, value in context.session.items()]
    with_ += [f"after {_which(past.ok)} {past.tool}" for past in context.past]
    with_ += [f"with values from {source.label}" for source in context.origins.sources]
    with_ += [f"after {used.calls} calls" for used in list(context.used.values())[:1] if used.calls]
    with_ += ["having read untrusted content"] if context.untrusted else []
    circumstances = f" ({', '.join(with_)})" if with_ else ""
    was, is_now = _outcome(before), _outcome(after)
    return f"{call.tool}({args}) by {call.agent}{circumstances}: {was} before, {is_now} now"


_WORDS = {"allow": "allowed", "ask": "asked about", "deny": "denied"}


def _outcome(verdict: Verdict) -> str:
    by = f" ({' or '.join(verdict.approval.by)})" if isinstance(verdict, Ask) and verdict.approval.by else ""
    return _WORDS[verdict.decision] + by


def _which(ok: bool) -> str:
    return "a successful" if ok else "a failed"
