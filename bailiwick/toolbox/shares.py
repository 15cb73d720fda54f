"""What a call takes of the limits in its policy's rules, as the ledger counts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from bailiwick.gate import Call
from bailiwick.ledger import Share, UsageLedger
from bailiwick.policy import Policy, RateLimit, Rule, Used

__all__ = ["shares_of", "used_of"]


def shares_of(rule: Rule, call: Call, *, thread: str, session: Mapping[str, Any]) -> list[Share]:
    """One share for each limit of ``rule``, in their order. The gate has seen to it that all of them can be counted."""
    return [_share(rule, limit, call, thread, session) for limit in rule.limits]


async def used_of(
    usage: UsageLedger, policy: Policy, key: str, call: Call, *, thread: str, session: Mapping[str, Any]
) -> dict[tuple[str, int], Used]:
    """What other calls have used of every limit in ``policy``, as the gate wants it."""
    places = [(rule, n) for rule in policy.rules for n in range(len(rule.limits))]
    shares = list(_all(policy, call, thread, session))
    used = await usage.used(key, shares)
    return {(rule.id, n): each for (rule, n), each in zip(places, used, strict=True)}


def _all(policy: Policy, call: Call, thread: str, session: Mapping[str, Any]) -> Iterator[Share]:
    for rule in policy.rules:
        yield from shares_of(rule, call, thread=thread, session=session)


def _share(rule: Rule, limit: RateLimit, call: Call, thread: str, session: Mapping[str, Any]) -> Share:
    match limit.per:
        case "session":
            whose = f"session:{thread}"
        case "user":
            whose = f"user:{session.get('user_id')}"
        case "agent":
            whose = f"agent:{call.agent}"
        case "all":
            whose = "all"
    return Share(
        # Neither the limit's place nor its window is part of it, so that a changed window counts what is known already.
        what=f"{call.tool}/{rule.id}/{'calls' if limit.sum is None else f'sum:{limit.sum}'}",
        whose=whose,
        window=None if limit.window is None else limit.window.total_seconds(),
        calls=limit.calls,
        le=limit.le,
        amount=_number(call.args, limit.sum),
    )


def _number(args: Mapping[str, Any], name: str | None) -> Decimal:
    value = args.get(name) if name is not None else None
    # repr gives the shortest decimal that reads back as this float.
    return Decimal(repr(value)) if type(value) in (int, float) else Decimal(0)
