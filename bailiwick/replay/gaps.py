"""What the record lacks, and whether it matters for a decision: it is decided with either answer, and the two compared.

Nothing is invented. Where both answers give the same decision it can be told; else it cannot, and the gap says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bailiwick.gate import Context, Origins, PastCall, Source, leaves
from bailiwick.policy import LoadedPolicy, Policy, Used
from bailiwick.replay.circumstances import Circumstances
from bailiwick.replay.recorded import BEFORE, Conversation, RecordedCall

__all__ = ["Gap", "gaps"]

_SESSION = "$session."


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Something that is not known: in words, and what it might have been."""

    why: str
    contexts: tuple[Context, ...]


def gaps(
    known: Circumstances, conversation: Conversation, call: RecordedCall, context: Context, loaded: LoadedPolicy
) -> Iterator[Gap]:
    """What ``loaded`` asks for and the record does not have of ``call``. Empty: all that matters is known."""
    policy = loaded.policy
    past = known.past(conversation, call)
    yield from _of_session(known, call, context, policy)
    began_before = conversation.missing.get(BEFORE)
    unclear = next((each for each in past if each.incomplete), None)
    if any(rule.after for rule in policy.rules) and (began_before or unclear):
        why = began_before or f"{unclear.incomplete if unclear else ''} (an earlier call of the conversation)"
        yield Gap(why=why, contexts=(_after_all(context, call, policy),))
    if began_before and not context.untrusted and policy.on_untrusted != "allow":
        yield Gap(why=began_before, contexts=(replace(context, untrusted=("what came before",)),))
    yield from _of_limits(call, context, policy, began_before, call.tool in known.uncounted)
    asks = any(
        arg.origins is not None or arg.links is not None or arg.without
        for rule in policy.rules
        for arg in rule.args.values()
    )
    if asks:
        missing = {label: why for label, why in conversation.missing.items() if label != BEFORE}
        if began_before:
            missing = {"user": began_before, **missing}
        for each in past:
            if each.result is None and each.outcome in ("ok", "error"):
                brought = known.policies.get(each.tool)
                trusted = brought is not None and brought.policy.output.trust == "trusted"
                missing[f"{'tool' if trusted else 'untrusted'}:{each.tool}"] = f"what {each.tool} gave is not recorded"
        for label, why in missing.items():
            yield Gap(why=why, contexts=(_with_source(context, call, label, known.policies),))


def _of_session(known: Circumstances, call: RecordedCall, context: Context, policy: Policy) -> Iterator[Gap]:
    named: dict[str, list[Any]] = {}
    for rule in policy.rules:
        for name, arg in rule.args.items():
            if isinstance(arg.equals, str) and arg.equals.startswith(_SESSION):
                named.setdefault(arg.equals.removeprefix(_SESSION), []).append(call.args.get(name))
        if any(limit.per == "user" for limit in rule.limits):
            named.setdefault("user_id", []).append("somebody")
    for name, values in named.items():
        # A pseudonym tells whether an argument is the user's id, and no pseudonym that there was no user.
        if name in context.session or (name == "user_id" and call.user is not None):
            continue
        option = f"--session '{{\"{name}\": …}}'"
        contexts = tuple(replace(context, session={**context.session, name: value}) for value in values if value)
        yield Gap(why=f"$session.{name} is not recorded; {option} sets it", contexts=contexts)


def _after_all(context: Context, call: RecordedCall, policy: Policy) -> Context:
    wanted = [
        PastCall(tool=each.tool, args=dict(call.args), ok=each.ok) for rule in policy.rules for each in rule.after
    ]
    return replace(context, past=(*context.past, *wanted))


def _of_limits(
    call: RecordedCall, context: Context, policy: Policy, began_before: str | None, uncounted: bool
) -> Iterator[Gap]:
    for rule in policy.rules:
        for n, limit in enumerate(rule.limits):
            used = context.used.get((rule.id, n), Used())
            if limit.window is not None and call.time is None and used.calls:
                unused = {**context.used, (rule.id, n): Used()}
                yield Gap(
                    why="the record has no times, and a limit has a window", contexts=(replace(context, used=unused),)
                )
            why = (began_before if limit.per == "session" else "") or (
                "an earlier call may or may not count for a limit" if uncounted else ""
            )
            if why:
                most = Used(calls=max(used.calls, limit.calls or 0), sum=max(used.sum, limit.le or used.sum))
                yield Gap(why=why, contexts=(replace(context, used={**context.used, (rule.id, n): most}),))


def _with_source(context: Context, call: RecordedCall, label: str, policies: Mapping[str, LoadedPolicy]) -> Context:
    loaded = policies.get(label.partition(":")[2])
    labels = frozenset(loaded.policy.output.labels) if loaded is not None else frozenset[str]()
    source = Source(label=label, values=tuple(leaves(dict(call.args))), labels=labels)
    return replace(context, origins=Origins([*context.origins.sources, source]))
