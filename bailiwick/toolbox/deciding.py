"""What the gate is told of a conversation, and what it says: the decision of one call, with its span."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bailiwick.gate import Allow, Ask, Call, Context, Deny, Verdict, decide, vouched_for
from bailiwick.ledger import CallLedger, Questions, UsageLedger
from bailiwick.policy import Policy
from bailiwick.toolbox.history import context_of, message_prefix
from bailiwick.toolbox.provenance import origins_of, traces
from bailiwick.toolbox.registered import CallSite, RegisteredTool
from bailiwick.toolbox.shares import shares_of, used_of
from bailiwick.tracing import conventions as words
from bailiwick.tracing import span

__all__ = ["Decided", "Deciding"]

_BEFORE_ARGUMENTS = ("call", "gate", "tool", "offered")
"""Keys of denials that came before the arguments were looked at: a malformed call has none to trace."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A verdict and what it rests on."""

    verdict: Verdict
    context: Context
    origins: Mapping[str, list[str]]
    """Of each argument where it was found. Empty: the policy does not ask."""


@dataclass(frozen=True, kw_only=True)
class Deciding:
    """``ledger`` None: what came before is what the messages say."""

    tools: Mapping[str, RegisteredTool]
    ledger: CallLedger | None
    usage: UsageLedger
    questions: Questions

    async def decide(self, call: Call, tool: RegisteredTool, site: CallSite, key: str) -> Decided:
        """Ask the gate. ``key`` is the call's own in the ledger: what it used of limits itself does not count."""
        policy = tool.policy.policy
        context = await self._context(call, policy, site, key)
        with span("policy", "GUARDRAIL") as opened:
            verdict = decide(call, tool.policy, context)
            origins = _origins(call, policy, context, verdict)
            opened.inner.update_name(f"policy {verdict.rule or 'default'}")
            opened.set(
                words.policy_decision(
                    decision=verdict.decision,
                    rule=verdict.rule or "",
                    reason=verdict.reason,
                    where=verdict.where,
                    digest=policy.digest,
                    key="" if isinstance(verdict, Allow) else verdict.key,
                    origins=origins,
                )
            )
            if isinstance(verdict, Deny):
                opened.fail("denied", verdict.reason)
        return Decided(verdict=verdict, context=context, origins=origins)

    async def vouch(self, call: Call, tool: RegisteredTool, site: CallSite, found: Decided, question: str) -> None:
        """A person said yes to ``question``: keep what that makes good for other calls, where the policy says so."""
        verdict = found.verdict
        if not isinstance(verdict, Ask) or not (values := vouched_for(verdict.rule, call, tool.policy, found.context)):
            return
        await self.questions.vouch(
            question,
            thread=site.thread,
            tool=call.tool,
            rule=verdict.rule,
            values=values,
            seconds=verdict.approval.ttl.total_seconds(),
        )

    async def take(self, call: Call, tool: RegisteredTool, site: CallSite, key: str, rule: str) -> Deny | None:
        """Count the call for the limits of its rule, in one step for all processes. A Deny where others were faster."""
        found = next((each for each in tool.policy.policy.rules if each.id == rule), None)
        if found is None or not found.limits:
            return None
        shares = shares_of(found, call, thread=site.thread, session=site.session)
        full = await self.usage.take(key, shares)
        if full is None:
            return None
        # The gate knew of less a moment ago; asked again, it says why in its own words.
        decided = await self.decide(call, tool, site, key)
        if isinstance(decided.verdict, Deny):
            return decided.verdict
        place = tool.policy.policy.rules.index(found)
        return Deny(
            reason=f"limits.{full}: another call took what was left at the same moment",
            rule=rule,
            key=f"limits.{full}",
            where=tool.policy.where(f"rules.{place}.limits.{full}"),
            advice="This cannot be done now. Say so.",
            customer="This has been done as often, or for as much, as may be done for now.",
        )

    async def _context(self, call: Call, policy: Policy, site: CallSite, key: str) -> Context:
        traced = traces(policy)
        known = None
        if self.ledger is not None and site.resumable:
            beside = message_prefix(site.messages, call)
            known = await self.ledger.happened(site.thread, beside=beside, results=traced)
        context = context_of(site.messages, site.session, site.offered, happened=known)
        if traced:
            origins = origins_of(
                site.messages,
                instructions=site.instructions,
                session=site.session,
                passages=site.passages,
                happened=known,
                outputs={name: each.policy.policy.output for name, each in self.tools.items()},
            )
            vouched = await self.questions.vouched(thread=site.thread, tool=call.tool)
            context = replace(context, origins=origins, confirmed=vouched)
        if any(rule.limits for rule in policy.rules):
            used = await used_of(self.usage, policy, key, call, thread=site.thread, session=site.session)
            context = replace(context, used=used)
        return context


def _origins(call: Call, policy: Policy, context: Context, verdict: Verdict) -> dict[str, list[str]]:
    if not traces(policy) or (not isinstance(verdict, Allow) and verdict.key in _BEFORE_ARGUMENTS):
        return {}
    return {name: list(context.origins.labels(value)) for name, value in call.args.items()}
