"""Recorded calls, decided again under other policies, and what would have come out otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bailiwick.gate import Call, Context, Deny, Verdict, decide
from bailiwick.policy import LoadedPolicy
from bailiwick.replay.circumstances import Circumstances, in_order
from bailiwick.replay.gaps import gaps
from bailiwick.replay.recorded import Conversation, RecordedCall

__all__ = ["Changed", "Judged", "Simulated", "Untold", "replay", "simulate"]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What policies say of a recorded call. ``untold`` empty: it can be told; else why it cannot."""

    call: RecordedCall
    verdict: Verdict
    context: Context
    untold: str = ""


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A call that is decided otherwise. ``before`` None: against what was recorded."""

    call: RecordedCall
    before: Verdict | None
    after: Verdict


@dataclass(frozen=True, kw_only=True)
class Untold:
    """A call of which it cannot be told what would be decided."""

    call: RecordedCall
    why: str


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """What came of it. Every call is in one of the three."""

    changed: tuple[Changed, ...]
    untold: tuple[Untold, ...]
    unchanged: int

    @property
    def calls(self) -> int:
        return len(self.changed) + len(self.untold) + self.unchanged


def simulate(
    conversations: Sequence[Conversation],
    new: Mapping[str, LoadedPolicy],
    *,
    old: Mapping[str, LoadedPolicy] | None = None,
    session: Mapping[str, Any] | None = None,
) -> Simulated:
    """Decide on every call under ``new``, and compare with ``old`` under the same replay; None: with the record.

    ``session`` fills in values that the record does not have. Raises nothing.
    """
    after = replay(conversations, new, session=session)
    before = replay(conversations, old, session=session) if old is not None else [None] * len(after)
    changed: list[Changed] = []
    untold: list[Untold] = []
    unchanged = 0
    for was, now in zip(before, after, strict=True):
        call = now.call
        if why := now.untold or (was.untold if was is not None else _undecided(call)):
            untold.append(Untold(call=call, why=why))
        elif (was.verdict.decision if was is not None else call.decision) != now.verdict.decision:
            changed.append(Changed(call=call, before=was.verdict if was is not None else None, after=now.verdict))
        else:
            unchanged += 1
    return Simulated(changed=tuple(changed), untold=tuple(untold), unchanged=unchanged)


def replay(
    conversations: Sequence[Conversation],
    policies: Mapping[str, LoadedPolicy],
    *,
    session: Mapping[str, Any] | None = None,
) -> list[Judged]:
    """Every call in the order of time with what ``policies`` say of it. Raises nothing."""
    circumstances = Circumstances(policies=policies, given=session or {})
    found: list[Judged] = []
    for conversation, call in in_order(conversations):
        judged = _judged(circumstances, conversation, call)
        circumstances.took_place(conversation, call, judged.verdict, judged.context, untold=bool(judged.untold))
        found.append(judged)
    return found


def _judged(circumstances: Circumstances, conversation: Conversation, call: RecordedCall) -> Judged:
    context = circumstances.context(conversation, call)
    loaded = circumstances.policies.get(call.tool)
    if loaded is None:
        none = Deny(reason=f"there is no policy for {call.tool}, and no policy means no run", key="policy")
        return Judged(call=call, verdict=none, context=context)
    asked = Call(id=call.id or "recorded", tool=call.tool, agent=call.agent, args=dict(call.args))
    verdict = decide(asked, loaded, context)
    if call.incomplete:
        return Judged(call=call, verdict=verdict, context=context, untold=call.incomplete)
    why = next(_matters(asked, circumstances, conversation, call, context, loaded, verdict), "")
    return Judged(call=call, verdict=verdict, context=context, untold=why)


def _matters(
    asked: Call,
    circumstances: Circumstances,
    conversation: Conversation,
    call: RecordedCall,
    context: Context,
    loaded: LoadedPolicy,
    verdict: Verdict,
) -> Iterator[str]:
    """Why the decision cannot be told: gaps that change it, alone or all together."""
    found = list(gaps(circumstances, conversation, call, context, loaded))
    for gap in found:
        if any(decide(asked, loaded, each).decision != verdict.decision for each in gap.contexts):
            yield gap.why
    if len(found) > 1:
        together = _together(context, [each for gap in found for each in gap.contexts])
        if decide(asked, loaded, together).decision != verdict.decision:
            yield "; ".join(dict.fromkeys(gap.why for gap in found))


def _together(context: Context, others: Sequence[Context]) -> Context:
    """All that might have been, at once."""
    made = context
    for other in others:
        changes = {
            name: getattr(other, name)
            for name in ("session", "past", "untrusted", "origins", "used")
            if getattr(other, name) is not getattr(context, name)
        }
        made = replace(made, **changes)
    return made


def _undecided(call: RecordedCall) -> str:
    if call.decision != "none":
        return ""
    what = {"unknown_tool": "there was no such tool", "invalid_arguments": "its arguments did not fit the tool"}
    return f"it never came to the gate: {what.get(call.outcome, 'the record has no decision')}"
