"""The way of one call: known → valid → decided → asked → begun → run → finished. Every step leaves a span.

Nothing here raises for what a tool or a model does: a failure is a record, an error span and a message the model can
act on. Only LangGraph's own control flow (interrupts) and cancellation pass through.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage, ToolMessage
from langgraph.errors import GraphBubbleUp

from bailiwick.definition import ToolDefinition
from bailiwick.errors import SandboxError
from bailiwick.gate import Allow, Ask, Call, Deny, Verdict, decide
from bailiwick.ledger import Begun, CallLedger, Finished, LeftOpen, Questions
from bailiwick.policy import LoadedPolicy
from bailiwick.resilience import seconds_left
from bailiwick.sandbox import Request, Result, Sandbox, Spec, ToolFailure
from bailiwick.toolbox.approval import approval_request, unknown_outcome_request, unsettled_request
from bailiwick.toolbox.arguments import schema_problem
from bailiwick.toolbox.asking import Asking, AskPerson
from bailiwick.toolbox.history import context_of, message_prefix, request_id
from bailiwick.toolbox.outcomes import decided, denied, kept, ran, rejected, told, why_failed
from bailiwick.toolbox.output_files import keep_files
from bailiwick.toolbox.record import CallRecord
from bailiwick.toolbox.reply import reply
from bailiwick.tracing import ErrorPath, ErrorWatch, Span, add_egress_spans, add_inside_spans, current_traceparent, span
from bailiwick.tracing import conventions as words

__all__ = ["CallSite", "GuardedCall", "RegisteredTool"]

HANDLING = 60.0
"""Seconds a sandbox may take beyond the tool's own time: to be started, and to stop a tool that will not end."""


@dataclass(frozen=True, kw_only=True)
class RegisteredTool:
    """A tool with its policy and the container it compiles to."""

    definition: ToolDefinition
    policy: LoadedPolicy
    spec: Spec
    inside: str
    """The tool's file as seen in the container."""
    outputs: Path | None = None
    """Where files go that a call leaves to be kept. None: nowhere, and none are taken."""


@dataclass(frozen=True, kw_only=True)
class CallSite:
    """Where a call comes from. Empty ``session``: nobody speaks. ``offered`` None: the graph does not say."""

    agent: str
    thread: str
    node: str = "act"
    messages: Sequence[BaseMessage] = ()
    session: Mapping[str, Any]
    offered: frozenset[str] | None = None
    ask: AskPerson | None = None
    """None where no person can be asked: a question is then a denial."""
    resumable: bool = False
    """Whether ``thread`` is kept, so that the ledger knows it and ``ask`` waits for a resume."""


@dataclass(frozen=True, kw_only=True)
class GuardedCall:
    """The parts a call goes through. ``ledger`` None: nothing is replayed. ``watch`` None: error paths are not kept."""

    tools: Mapping[str, RegisteredTool]
    sandbox: Sandbox
    ledger: CallLedger | None
    questions: Questions
    watch: ErrorWatch | None

    async def run(self, call: Call, site: CallSite) -> ToolMessage:
        """Take ``call`` all the way and give the message for the model, its record in the message's artifact."""
        attributes = words.tool_call(tool=call.tool, call_id=call.id, agent=call.agent, arguments=call.args)
        with span(f"execute_tool {call.tool}", "TOOL", attributes, control_flow=(GraphBubbleUp,)) as opened:
            record = CallRecord(
                id=call.id, tool=call.tool, agent=call.agent, args=call.args, decision="none", span_id=opened.span_id
            )
            record, text = await self._through(call, site, record)
            record = await self._note(opened, site, record)
            opened.set(words.tool_outcome(output=text, outcome=record.outcome, decision=record.decision))
            return reply(record, text)

    async def _through(self, call: Call, site: CallSite, record: CallRecord) -> tuple[CallRecord, str]:
        tool = self.tools.get(call.tool)
        if tool is None:
            known = ", ".join(sorted(site.offered if site.offered is not None else self.tools)) or "none"
            text = f"There is no tool called {call.tool!r}. Tools here: {known}."
            return replace(record, outcome="unknown_tool", error_type="unknown_tool", error=text), text
        offered = site.offered is None or call.tool in site.offered
        # What is not offered is for the gate to deny; its schema is nobody's business here.
        if offered and (problem := schema_problem(tool.definition.parameters, call.args)):
            text = f"The arguments do not fit {call.tool}: {problem}. Correct them and call again."
            return replace(record, outcome="invalid_arguments", error_type="invalid_arguments", error=problem), text

        request = request_id(site.messages, call)
        known = await self._known(site, request)
        if isinstance(known, Finished):  # before the gate: what has happened is told as it was
            return kept(known, record)
        verdict = await self._decide(call, tool, site)
        record = decided(record, verdict)
        by: Sequence[str] = ()
        match verdict:
            case Deny():
                return denied(record, verdict)
            case Ask(approval=approval) if isinstance(known, LeftOpen) and _must_ask_again(tool):
                # It was approved and begun. The one question left is whether to run it again, and for the same people.
                return await self._once(call, tool, site, request, record, by=approval.by)
            case Ask(approval=approval):
                question = approval_request(call, verdict)
                key = f"{site.thread}:{request}:approval:{verdict.rule}"
                answer = await self._asking(site).put(key, question, by=approval.by, ttl=approval.ttl)
                if answer.decision == "reject":
                    return rejected(record, answer)
                record, by = replace(record, approved_by=answer.by or "the person asked"), approval.by
            case Allow():
                pass
        return await self._once(call, tool, site, request, record, by=by)

    async def _known(self, site: CallSite, request: str) -> Finished | LeftOpen | None:
        if self.ledger is None or not site.resumable:
            return None
        return await self.ledger.look(thread=site.thread, call_id=request)

    def _asking(self, site: CallSite) -> Asking:
        return Asking(questions=self.questions, ask=site.ask, resumable=site.resumable)

    async def _decide(self, call: Call, tool: RegisteredTool, site: CallSite) -> Verdict:
        known = None
        if self.ledger is not None and site.resumable:
            known = await self.ledger.happened(site.thread, beside=message_prefix(site.messages, call))
        context = context_of(site.messages, site.session, site.offered, happened=known)
        with span("policy", "GUARDRAIL") as opened:
            verdict = decide(call, tool.policy, context)
            opened.inner.update_name(f"policy {verdict.rule or 'default'}")
            opened.set(
                words.policy_decision(
                    decision=verdict.decision,
                    rule=verdict.rule or "",
                    reason=verdict.reason,
                    where=verdict.where,
                    digest=tool.policy.policy.digest,
                    key="" if isinstance(verdict, Allow) else verdict.key,
                )
            )
            if isinstance(verdict, Deny):
                opened.fail("denied", verdict.reason)
        return verdict

    async def _once(
        self,
        call: Call,
        tool: RegisteredTool,
        site: CallSite,
        request: str,
        record: CallRecord,
        *,
        by: Sequence[str],
    ) -> tuple[CallRecord, str]:
        """Run the call unless the ledger knows that it ran: finished is replayed, left open is asked about.

        ``by`` may answer what is asked here; empty: anyone whom the application lets answer.
        """
        if seconds_left(1) <= 0:
            text = f"{call.tool} was not run: the time of this turn is used up."
            return replace(record, outcome="no_sandbox", error_type="DeadlineExceeded", error=text), text
        if self.ledger is None:
            return await self._run(call, tool, f"{site.thread}:{request}", site.thread, record)
        if _must_ask_again(tool) and not await self._settled(self.ledger, call, site, request, by):
            text = (
                f"An earlier call of {call.tool} was begun and never came back; whether it had its effect is not "
                "known, and this one was not run. Say so, and let a person look."
            )
            return replace(record, outcome="unknown_outcome", error_type="unknown_outcome", error=text), text
        entry = await self.ledger.begin(thread=site.thread, call_id=request, tool=call.tool, args=call.args)
        match entry:
            case Finished():
                return kept(entry, record)
            case LeftOpen(begun_at=begun_at):
                if _must_ask_again(tool):
                    begun = _moment(begun_at)
                    # Named by its beginning: after another crash it is another question.
                    key = f"{entry.key}:unknown_outcome:{begun_at}"
                    answer = await self._asking(site).put(key, unknown_outcome_request(call, begun), by=by)
                    if answer.decision == "reject":
                        text = (
                            f"{call.tool} was begun earlier and never came back; whether it had its effect is not "
                            "known, and it was not run again. Say so, and let a person look."
                        )
                        return replace(
                            record, outcome="unknown_outcome", error_type="unknown_outcome", error=text
                        ), text
                entry = await self.ledger.reopen(entry.key)
            case Begun():
                pass
        record, text = await self._run(call, tool, entry.key, site.thread, record)
        result = {"record": record.as_dict(), "text": text}
        await self.ledger.finish(entry.key, result, ok=record.ok, untrusted=record.untrusted)
        return record, text

    async def _settled(self, ledger: CallLedger, call: Call, site: CallSite, request: str, by: Sequence[str]) -> bool:
        """Whether no earlier call of this tool is lost in this conversation, or a person has looked and says go on.

        A process that died in a call may leave its turn unfinished for good: the conversation goes on with another
        question, and the model asks for the same thing again. Then the ledger is the only one that knows.
        """
        if not site.resumable:
            return True
        lost = await ledger.unsettled(site.thread, call.tool, beside=message_prefix(site.messages, call) or request)
        if lost is None:
            return True
        key = f"{site.thread}:{request}:unsettled:{lost.begun_at}"
        answer = await self._asking(site).put(key, unsettled_request(call, _moment(lost.begun_at)), by=by)
        if answer.decision == "reject":
            return False
        await ledger.settle(lost.key)
        return True

    async def _run(
        self, call: Call, tool: RegisteredTool, key: str, thread: str, record: CallRecord
    ) -> tuple[CallRecord, str]:
        policy = tool.policy.policy
        missing = [name for name in policy.sandbox.secrets if name not in os.environ]
        if missing:
            text = f"{call.tool} cannot run now. Tell the customer that this is not available at the moment."
            problem = f"{tool.policy.file}: sandbox.secrets: {', '.join(missing)} is not set in the environment"
            return replace(record, outcome="no_sandbox", error_type="secret_missing", error=problem), text
        limits = policy.sandbox.limits
        request = Request(
            file=tool.inside,
            function=call.tool,
            args=call.args,
            secrets={name: os.environ[name] for name in policy.sandbox.secrets},
            idempotency_key=key,
            time=max(0.05, seconds_left(limits.time.total_seconds())),
            output=limits.output,
            thread=thread,
            files=limits.files if tool.outputs is not None else 0,
            file_bytes=limits.disk if tool.outputs is not None else 0,
        )
        record, text = await self._attempt(1, tool, request, record)
        # Only a read may run again by itself, and only when its container was taken away under it.
        if record.outcome == "killed" and policy.effect == "read" and seconds_left(1) > 0:
            record, text = await self._attempt(2, tool, request, record)
        return record, text

    async def _attempt(
        self, number: int, tool: RegisteredTool, request: Request, record: CallRecord
    ) -> tuple[CallRecord, str]:
        policy = tool.policy.policy
        with span(f"attempt {number}", "CHAIN") as opened:
            try:
                result = await self._in_sandbox(tool, request)
            except SandboxError as error:
                opened.fail(type(error).__name__, error.message)
                text = f"{record.tool} did not run: there is no working sandbox for it. Do not try again now."
                failed = replace(record, outcome="no_sandbox", error_type=type(error).__name__, error=str(error))
                return failed, text
            record = ran(record, policy.output.trust, result)
            if result.files and tool.outputs is not None:
                record = await self._keep(tool.outputs, request.idempotency_key, record, result)
            if not record.ok:
                opened.fail(record.error_type, record.error)
            return record, told(record, policy.effect, result)

    async def _keep(self, folder: Path, key: str, record: CallRecord, result: Result) -> CallRecord:
        """Put the call's files where its policy says. A disk that does not take them is the call's failure."""
        try:
            return replace(record, files=await asyncio.to_thread(keep_files, folder, key, result.files))
        except (OSError, SandboxError) as error:
            return replace(
                record, outcome="error", error_type="FilesNotKept", error=f"its files were not kept: {error}"
            )

    async def _in_sandbox(self, tool: RegisteredTool, request: Request) -> Result:
        with span("sandbox.run", "CHAIN") as opened:
            result = await self._in_time(tool, replace(request, traceparent=current_traceparent()))
            opened.set(words.sandbox_run(result))
            add_egress_spans(opened, result.egress)
            add_inside_spans(opened, result.spans)
            if result.cause != "ok":
                opened.fail(result.failure.type if result.failure else result.cause, why_failed(result))
        return result

    async def _in_time(self, tool: RegisteredTool, request: Request) -> Result:
        # The sandbox stops the tool itself; this is for a sandbox that hangs, and what it was doing is then not known.
        limit = max(request.time + 2, seconds_left(request.time + HANDLING))
        try:
            return await asyncio.wait_for(self.sandbox.run(tool.spec, request), limit)
        except TimeoutError:
            failure = ToolFailure(type="SandboxHung", message=f"its sandbox did not answer within {limit:.0f} seconds")
            return Result(cause="killed", failure=failure, sandbox=self.sandbox.kind)

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


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _must_ask_again(tool: RegisteredTool) -> bool:
    """Whether nobody but a person may say that a call of unknown outcome is run again."""
    policy = tool.policy.policy
    return policy.effect != "read" and policy.recover != "idempotent"
