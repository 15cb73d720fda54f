"""A conversation as the gate sees it, built up call by call; the same facts that a running graph gives it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bailiwick.gate import (
    Ask,
    Call,
    Context,
    Deny,
    Origins,
    PastCall,
    Source,
    Verdict,
    decide,
    leaves,
    result_sources,
    vouched_for,
)
from bailiwick.policy import LoadedPolicy, Used

__all__ = ["Conversation"]


@dataclass(kw_only=True)
class Conversation:
    """``policies`` None: nothing is decided. ``offered`` None: every tool is, in every state."""

    policies: Mapping[str, LoadedPolicy] | None
    agent: str
    said: str
    session: Mapping[str, Any]
    offered: frozenset[str] | None
    sources: list[Source] = field(default_factory=list[Source])
    past: list[PastCall] = field(default_factory=list[PastCall])
    untrusted: dict[str, None] = field(default_factory=dict[str, None])
    used: dict[tuple[str, int], Used] = field(default_factory=dict[tuple[str, int], Used])
    confirmed: dict[tuple[str, str, str], list[Any]] = field(default_factory=dict[tuple[str, str, str], list[Any]])
    microseconds: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        if self.session:
            self.sources.append(Source(label="operator", values=tuple(leaves(dict(self.session)))))
        self.sources.append(Source(label="user", values=(self.said,)))

    def decide(self, function: str, args: Mapping[str, Any]) -> Verdict | None:
        """None: nobody decides."""
        if self.policies is None:
            return None
        loaded = self.policies.get(function)
        if loaded is None:
            return Deny(reason=f"there is no policy for {function}", key="policy")
        call = Call(id="c", tool=function, agent=self.agent, args=args)
        begun = time.perf_counter_ns()
        verdict = decide(call, loaded, self._context(function))
        self.microseconds.append((time.perf_counter_ns() - begun) / 1000)
        return verdict

    def came_back(
        self, function: str, args: Mapping[str, Any], answer: Mapping[str, Any], verdict: Verdict | None
    ) -> None:
        """``answer`` is ``{"value"}`` or ``{"error"}``."""
        ok = "error" not in answer
        self.past.append(PastCall(tool=function, args=args, ok=ok))
        loaded = (self.policies or {}).get(function)
        if loaded is None:
            return
        if verdict is not None and not isinstance(verdict, Deny):
            self._use(loaded, verdict.rule, args)
        output = loaded.policy.output
        trust = "untrusted" if output.trust == "untrusted" or not ok else "trusted"
        if output.trust == "inherit" and self.untrusted:
            own = {source.label for source in self.sources if not source.label.startswith("untrusted:")}
            if Origins(self.sources).foreign(list(args.values()), own) is not None:
                trust = "untrusted"
        for source in result_sources(
            function,
            answer.get("value") if ok else answer["error"],
            trust=trust,
            untrusted_fields=output.untrusted_fields if trust == "trusted" else (),
            labels=output.labels,
            made_from=args if output.trust == "inherit" else None,
        ):
            self.sources.append(source)
            if source.label.startswith("untrusted:"):
                self.untrusted[function] = None

    def approved(self, function: str, args: Mapping[str, Any], verdict: Ask) -> None:
        """A person said yes, which may make more good than this call; see ``Approval.bind``."""
        loaded = (self.policies or {})[function]
        call = Call(id="c", tool=function, agent=self.agent, args=args)
        for name, values in vouched_for(verdict.rule, call, loaded, self._context(function)).items():
            self.confirmed.setdefault((function, verdict.rule, name), []).extend(values)

    def _context(self, function: str) -> Context:
        return Context(
            session=self.session,
            past=tuple(self.past),
            untrusted=tuple(self.untrusted),
            offered=self.offered,
            origins=Origins(self.sources),
            used=self.used,
            confirmed={(rule, name): known for (tool, rule, name), known in self.confirmed.items() if tool == function},
        )

    def _use(self, loaded: LoadedPolicy, rule_id: str, args: Mapping[str, Any]) -> None:
        rule = next(rule for rule in loaded.policy.rules if rule.id == rule_id)
        for n, limit in enumerate(rule.limits):
            before = self.used.get((rule_id, n), Used())
            amount = Decimal(repr(args[limit.sum])) if limit.sum is not None else Decimal(0)
            self.used[rule_id, n] = Used(calls=before.calls + 1, sum=before.sum + max(amount, Decimal(0)))
