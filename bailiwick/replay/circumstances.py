"""What the gate would have known of each recorded call, had other policies been in force from the beginning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bailiwick.gate import Context, Origins, PastCall, Source, Verdict, leaves
from bailiwick.gate.json_value import number
from bailiwick.policy import LoadedPolicy, RateLimit, Used
from bailiwick.replay.recorded import Conversation, RecordedCall
from bailiwick.replay.worth import labels_under, sources_of, taints

__all__ = ["Circumstances", "in_order"]

_ZERO = Decimal(0)


def in_order(conversations: Sequence[Conversation]) -> Iterator[tuple[Conversation, RecordedCall]]:
    """The calls of all conversations by the time at which they began, as limits across conversations see them."""
    every = [(conversation, call) for conversation in conversations for call in conversation.calls]
    yield from sorted(every, key=lambda each: each[1].begun)


@dataclass(kw_only=True)
class Circumstances:
    """Builds contexts call by call, and is told of each what came of it. ``given``: values of the session to fill in.

    A call that the policies deny did not happen for those after it; one that they allow or ask about and that ran has
    happened as recorded, as if a person had said yes. What a call would have given that never ran, nobody knows.
    """

    policies: Mapping[str, LoadedPolicy]
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    uncounted: set[str] = field(default_factory=set[str], init=False)
    """Tools of which a call came before that may or may not count for their limits."""
    _happened: dict[str, list[RecordedCall]] = field(default_factory=dict[str, list[RecordedCall]], init=False)
    _brought: dict[int, tuple[tuple[Source, ...], bool]] = field(
        default_factory=dict[int, tuple[tuple[Source, ...], bool]], init=False
    )
    _takings: list[_Taking] = field(default_factory=list["_Taking"], init=False)

    def context(self, conversation: Conversation, call: RecordedCall) -> Context:
        """What is known. What the record lacks is left out: see ``gaps``."""
        past = self.past(conversation, call)
        session = self.session(call)
        sources = [Source(label="operator", values=tuple(leaves(dict(session))))] if session else []
        sources += _merged(conversation, call, [(each, self._brought[id(each)][0]) for each in past])
        sources += _as_recorded(call, self.policies, Origins(sources))
        return Context(
            session=session,
            past=tuple(PastCall(tool=each.tool, args=each.args, ok=each.ok) for each in past),
            untrusted=tuple(dict.fromkeys(each.tool for each in past if self._brought[id(each)][1])),
            # What a state of the graph offers is not in the record, but for a call that was denied because of it.
            offered=frozenset() if call.key == "offered" else None,
            origins=Origins(sources),
            used=self._used(call, session),
        )

    def session(self, call: RecordedCall) -> dict[str, Any]:
        """Who is speaking. A user of whom only the pseudonym is known has a name that no argument equals."""
        known = dict(call.session)
        if call.user and "user_id" not in known and "user_id" not in self.given:
            known["user_id"] = f"(the user {call.user})"
        return {**self.given, **known}

    def past(self, conversation: Conversation, call: RecordedCall) -> list[RecordedCall]:
        """Calls of the conversation that had come back when the model asked for ``call``."""
        before = self._happened.get(conversation.thread, [])
        return [each for each in before if each.ended <= call.begun and each.message != call.message]

    def took_place(
        self,
        conversation: Conversation,
        call: RecordedCall,
        verdict: Verdict,
        context: Context,
        *,
        untold: bool = False,
    ) -> None:
        """``verdict`` was given on ``call`` in ``context``. ``untold``: nobody knows which, so the record counts."""
        if untold:
            self.uncounted.add(call.tool)
        if not call.began or (verdict.decision == "deny" and not untold):
            return
        loaded = self.policies.get(call.tool)
        sources = tuple(sources_of(call, loaded, context))
        self._brought[id(call)] = sources, taints(call, loaded, context)
        self._happened.setdefault(conversation.thread, []).append(call)
        if loaded is None or not call.ran or verdict.decision == "deny":
            return
        for rule in loaded.policy.rules:
            if rule.id == verdict.rule:
                for n, limit in enumerate(rule.limits):
                    amount = max(number(call.args.get(limit.sum or "")) or _ZERO, _ZERO)
                    whose = self._whose(limit, call, context.session)
                    what = (call.tool, rule.id, n)
                    self._takings.append(_Taking(what=what, whose=whose, at=call.begun, amount=amount))

    def _used(self, call: RecordedCall, session: Mapping[str, Any]) -> dict[tuple[str, int], Used]:
        loaded = self.policies.get(call.tool)
        found: dict[tuple[str, int], Used] = {}
        for rule in loaded.policy.rules if loaded is not None else ():
            for n, limit in enumerate(rule.limits):
                whose = self._whose(limit, call, session)
                since = call.begun - limit.window.total_seconds() if limit.window and call.time else None
                those = [
                    each
                    for each in self._takings
                    if each.what == (call.tool, rule.id, n)
                    and each.whose == whose
                    and (since is None or each.at > since)
                ]
                found[rule.id, n] = Used(calls=len(those), sum=sum((each.amount for each in those), _ZERO))
        return found

    def _whose(self, limit: RateLimit, call: RecordedCall, session: Mapping[str, Any]) -> str:
        match limit.per:
            case "session":
                return call.thread
            case "user":
                # The pseudonym first: the same person may have been told by name in one trace only.
                return call.user or str(session.get("user_id") or "")
            case "agent":
                return call.agent
            case "all":
                return ""


@dataclass(frozen=True, kw_only=True)
class _Taking:
    """What one call has used of one limit."""

    what: tuple[str, str, int]
    whose: str
    at: float
    amount: Decimal


def _merged(
    conversation: Conversation, call: RecordedCall, brought: Sequence[tuple[RecordedCall, tuple[Source, ...]]]
) -> Iterator[Source]:
    """Texts and results in the order in which they came in, up to ``call``."""
    texts = [(each.at, [Source(label=each.label, values=(each.text,))]) for each in conversation.said]
    results = [(each.ended, list(sources)) for each, sources in brought]
    for at, sources in sorted([*texts, *results], key=lambda each: each[0]):
        if at <= call.begun:
            yield from sources


def _as_recorded(call: RecordedCall, policies: Mapping[str, LoadedPolicy], found: Origins) -> Iterator[Source]:
    """What the gate itself saw of where an argument came from, and what is recorded of the texts does not show."""
    for name, labels in call.origins.items():
        value = call.args.get(name)
        known = found.labels(value)
        for label in labels_under(labels, policies):
            if label not in known and label != "model":
                yield Source(label=label, values=tuple(leaves(value)))
