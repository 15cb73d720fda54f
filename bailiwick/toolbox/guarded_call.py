"""The way of one call: known → valid → decided → asked → begun → run → finished. Every step leaves a span.

Nothing here raises for what a tool or a model does: a failure is a record, an error span and a message the model can
act on. Only LangGraph's own control flow (interrupts) and cancellation pass through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from langchain_core.messages import ToolMessage
from langgraph.errors import GraphBubbleUp

from bailiwick.gate import Allow, Ask, Call, Deny
from bailiwick.ledger import CallLedger, Finished, LeftOpen, Questions, UsageLedger
from bailiwick.sandbox import Sandbox
from bailiwick.toolbox.approval import approval_request
from bailiwick.toolbox.arguments import schema_problem
from bailiwick.toolbox.asking import Asking
from bailiwick.toolbox.deciding import Deciding
from bailiwick.toolbox.history import request_id
from bailiwick.toolbox.once import Once, must_ask_again
from bailiwick.toolbox.outcomes import Told, decided, denied, kept, rejected
from bailiwick.toolbox.record import CallRecord
from bailiwick.toolbox.registered import CallSite, RegisteredTool
from bailiwick.toolbox.reload import Current, PolicyFiles
from bailiwick.toolbox.reply import reply
from bailiwick.toolbox.running import Running
from bailiwick.tracing import ErrorPath, ErrorWatch, Span, span
from bailiwick.tracing import conventions as words

__all__ = ["GuardedCall"]

_NO_POLICY = Deny(
    reason="its policy's file is gone, and a tool without a policy may not be called",
    key="policy",
    advice="This tool may not be used now. Do not call it again.",
    customer="This cannot be done here now.",
)
_AT_THE_END = Deny(
    reason='the graph runs with durability="exit": a crash would forget this write, and it would be made again',
    key="effect",
    advice="Tools that change something may not be used in this conversation. Do not call it again.",
    customer="This cannot be done here now.",
)


@dataclass(frozen=True, kw_only=True)
class GuardedCall:
    """The parts a call goes through. ``ledger`` None: nothing is replayed. ``watch`` None: error paths are not kept."""

    tools: Mapping[str, RegisteredTool]
    sandbox: Sandbox
    ledger: CallLedger | None
    questions: Questions
    usage: UsageLedger
    watch: ErrorWatch | None
    policies: PolicyFiles | None = None
    """Where policies may change while tools are in use. None: they do not."""

    async def run(self, call: Call, site: CallSite) -> ToolMessage:
        """Take ``call`` all the way and give the message for the model, its record in the message's artifact."""
        attributes = words.tool_call(tool=call.tool, call_id=call.id, agent=call.agent, arguments=call.args)
        with span(f"execute_tool {call.tool}", "TOOL", attributes, control_flow=(GraphBubbleUp,)) as opened:
            record = CallRecord(
                id=call.id, tool=call.tool, agent=call.agent, args=call.args, decision="none", span_id=opened.span_id
            )
            told = await self._through(call, site, record)
            record = await self._note(opened, site, told.record)
            opened.set(words.tool_outcome(told.text, record.outcome, record.decision, trust=record.trust))
            opened.set(words.call_circumstances(record.stale_policy, record.approved_by, record.approved_at))
            return reply(record, told.text, told.value)

    async def _through(self, call: Call, site: CallSite, record: CallRecord) -> Told:
        current = await self._current(call)
        if current is None:
            known = ", ".join(sorted(site.offered if site.offered is not None else self.tools)) or "none"
            text = f"There is no tool called {call.tool!r}. Tools here: {known}."
            return Told(replace(record, outcome="unknown_tool", error_type="unknown_tool", error=text), text)
        if current.tool is None:
            return denied(decided(record, _NO_POLICY), _NO_POLICY)
        tool, record = current.tool, replace(record, stale_policy=current.problem)
        if site.at_the_end and tool.policy.policy.effect == "write":
            return denied(decided(record, _AT_THE_END), _AT_THE_END)
        offered = site.offered is None or call.tool in site.offered
        # What is not offered is for the gate to deny; its schema is nobody's business here.
        if offered and (problem := schema_problem(tool.definition.parameters, call.args)):
            text = f"The arguments do not fit {call.tool}: {problem}. Correct them and call again."
            return Told(
                replace(record, outcome="invalid_arguments", error_type="invalid_arguments", error=problem), text
            )

        request = request_id(site.messages, call)
        known = await self._known(site, request)
        if isinstance(known, Finished):  # before the gate: what has happened is told as it was
            return kept(known, record)
        found = await self._deciding.decide(call, tool, site, f"{site.thread}:{request}")
        verdict = found.verdict
        record = replace(decided(record, verdict), origins=found.origins)
        by: Sequence[str] = ()
        match verdict:
            case Deny():
                return denied(record, verdict)
            case Ask(approval=approval) if isinstance(known, LeftOpen) and must_ask_again(tool):
                # It was approved and begun. The one question left is whether to run it again, and for the same people.
                by = approval.by
            case Ask(approval=approval):
                question = approval_request(call, verdict)
                key = f"{site.thread}:{request}:approval:{verdict.rule}"
                answer = await self._asking(site).put(key, question, by=approval.by, ttl=approval.ttl)
                if answer.decision == "reject":
                    return rejected(record, answer)
                await self._deciding.vouch(call, tool, site, found, key)
                record = replace(record, approved_by=answer.by or "the person asked", approved_at=answer.at)
                by = approval.by
            case Allow():
                pass
        return await self._once(site).run(call, tool, site, request, record, found.context, by=by)

    async def _current(self, call: Call) -> Current | None:
        if self.policies is not None:
            return await self.policies.current(call.tool, call.agent)
        tool = self.tools.get(call.tool)
        return None if tool is None else Current(tool=tool)

    async def _known(self, site: CallSite, request: str) -> Finished | LeftOpen | None:
        if self.ledger is None or not site.resumable:
            return None
        return await self.ledger.look(thread=site.thread, call_id=request)

    def _asking(self, site: CallSite) -> Asking:
        return Asking(questions=self.questions, ask=site.ask, resumable=site.resumable)

    @property
    def _deciding(self) -> Deciding:
        return Deciding(tools=self.tools, ledger=self.ledger, usage=self.usage, questions=self.questions)

    def _once(self, site: CallSite) -> Once:
        return Once(
            tools=self.tools,
            ledger=self.ledger,
            asking=self._asking(site),
            deciding=self._deciding,
            running=Running(sandbox=self.sandbox, usage=self.usage),
        )

    async def _note(self, opened: Span, site: CallSite, record: CallRecord) -> CallRecord:
        """Make the failure visible: an error status on the span, and its path in the store of error paths."""
        if record.ok:
            return record
        opened.fail(record.error_type, record.error)
        if self.watch is None or record.replayed:
            return record
        path = ErrorPath(
            agent=record.agent,
            node=site.node,
            tool=record.tool if record.outcome != "unknown_tool" else "(unknown)",
            error_type=record.error_type,
            exit_cause=record.key if record.outcome == "denied" else record.outcome,
            outcome="recovered",
        )
        sighting = await asyncio.to_thread(self.watch.saw, path, opened, record.error)
        return replace(record, error_path=sighting.fingerprint, error_path_state=sighting.state)
