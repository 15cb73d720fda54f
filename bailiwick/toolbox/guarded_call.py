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

from langchain_core.messages import ToolMessage
from langgraph.errors import GraphBubbleUp

from bailiwick.errors import SandboxError
from bailiwick.gate import Allow, Ask, Call, Context, Deny
from bailiwick.ledger import Begun, CallLedger, Finished, LeftOpen, Questions, UsageLedger
from bailiwick.resilience import seconds_left
from bailiwick.sandbox import Request, Result, Sandbox, ToolFailure
from bailiwick.toolbox.approval import approval_request, unknown_outcome_request, unsettled_request
from bailiwick.toolbox.arguments import schema_problem
from bailiwick.toolbox.asking import Asking
from bailiwick.toolbox.deciding import Deciding
from bailiwick.toolbox.history import message_prefix, request_id
from bailiwick.toolbox.outcomes import Told, decided, denied, in_words, kept, ran, rejected, why_failed
from bailiwick.toolbox.output_files import keep_files
from bailiwick.toolbox.provenance import worth
from bailiwick.toolbox.record import VALUE, CallRecord
from bailiwick.toolbox.registered import CallSite, RegisteredTool
from bailiwick.toolbox.reload import Current, PolicyFiles
from bailiwick.toolbox.reply import reply
from bailiwick.tracing import ErrorPath, ErrorWatch, Span, add_egress_spans, add_inside_spans, current_traceparent, span
from bailiwick.tracing import conventions as words

__all__ = ["GuardedCall"]

_NO_POLICY = Deny(
    reason="its policy's file is gone, and a tool without a policy may not be called",
    key="policy",
    advice="This tool may not be used now. Do not call it again.",
    customer="This cannot be done here now.",
)

HANDLING = 60.0
"""Seconds a sandbox may take beyond the tool's own time: to be started, and to stop a tool that will not end."""


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
            case Ask(approval=approval) if isinstance(known, LeftOpen) and _must_ask_again(tool):
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
        return await self._once(call, tool, site, request, record, found.context, by=by)

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

    async def _once(
        self,
        call: Call,
        tool: RegisteredTool,
        site: CallSite,
        request: str,
        record: CallRecord,
        context: Context,
        *,
        by: Sequence[str],
    ) -> Told:
        """Run the call unless the ledger knows that it ran: finished is replayed, left open is asked about.

        ``by`` may answer what is asked here; empty: anyone whom the application lets answer.
        """
        if seconds_left(1) <= 0:
            text = f"{call.tool} was not run: the time of this turn is used up."
            return Told(replace(record, outcome="no_sandbox", error_type="DeadlineExceeded", error=text), text)
        key = f"{site.thread}:{request}"
        if self.ledger is None:
            if full := await self._deciding.take(call, tool, site, key, record.rule):
                return denied(decided(record, full), full)
            return await self._run(call, tool, key, site.thread, record, context)
        if _must_ask_again(tool) and not await self._settled(self.ledger, call, site, request, by):
            text = (
                f"An earlier call of {call.tool} was begun and never came back; whether it had its effect is not "
                "known, and this one was not run. Say so, and let a person look."
            )
            return Told(replace(record, outcome="unknown_outcome", error_type="unknown_outcome", error=text), text)
        if full := await self._deciding.take(call, tool, site, key, record.rule):
            return denied(decided(record, full), full)
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
                        left = replace(record, outcome="unknown_outcome", error_type="unknown_outcome", error=text)
                        return Told(left, text)
                entry = await self.ledger.reopen(entry.key)
            case Begun():
                pass
        told = await self._run(call, tool, entry.key, site.thread, record, context)
        result = {"record": told.record.as_dict(), "text": told.text, VALUE: told.value}
        await self.ledger.finish(entry.key, result, ok=told.record.ok, untrusted=told.record.untrusted)
        return told

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
        self, call: Call, tool: RegisteredTool, key: str, thread: str, record: CallRecord, context: Context
    ) -> Told:
        told = await self._run_in_time(call, tool, key, thread, record, context)
        if told.record.outcome == "no_sandbox":
            await self.usage.give_back(key)
        return told

    async def _run_in_time(
        self, call: Call, tool: RegisteredTool, key: str, thread: str, record: CallRecord, context: Context
    ) -> Told:
        policy = tool.policy.policy
        missing = [name for name in policy.sandbox.secrets if name not in os.environ]
        if missing:
            text = f"{call.tool} cannot run now. Tell the customer that this is not available at the moment."
            problem = f"{tool.policy.file}: sandbox.secrets: {', '.join(missing)} is not set in the environment"
            return Told(replace(record, outcome="no_sandbox", error_type="secret_missing", error=problem), text)
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
        told = await self._attempt(1, tool, call, request, record, context)
        # Only a read may run again by itself, and only when its container was taken away under it.
        if told.record.outcome == "killed" and policy.effect == "read" and seconds_left(1) > 0:
            told = await self._attempt(2, tool, call, request, record, context)
        return told

    async def _attempt(
        self, number: int, tool: RegisteredTool, call: Call, request: Request, record: CallRecord, context: Context
    ) -> Told:
        policy = tool.policy.policy
        with span(f"attempt {number}", "CHAIN") as opened:
            try:
                result = await self._in_sandbox(tool, request)
            except SandboxError as error:
                opened.fail(type(error).__name__, error.message)
                text = f"{record.tool} did not run: there is no working sandbox for it. Do not try again now."
                failed = replace(record, outcome="no_sandbox", error_type=type(error).__name__, error=str(error))
                return Told(failed, text)
            record = ran(record, worth(policy, call, context, result.value), result)
            if result.files and tool.outputs is not None:
                record = await self._keep(tool.outputs, request.idempotency_key, record, result)
            if not record.ok:
                opened.fail(record.error_type, record.error)
            return Told(record, in_words(record, policy, result), result.value if record.ok else None)

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
