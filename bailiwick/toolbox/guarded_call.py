"""The way of one call: known → valid → decided → asked → begun → run → finished. Every step leaves a span.

Nothing here raises for what a tool or a model does: a failure is a record, an error span and a message the model can
act on. Only LangGraph's own control flow (interrupts) and cancellation pass through.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from jsonschema import Draft202012Validator
from langchain_core.messages import BaseMessage, ToolMessage
from langgraph.errors import GraphBubbleUp

from bailiwick.errors import SandboxError
from bailiwick.gate import Allow, Ask, Call, Deny, Verdict, decide
from bailiwick.ledger import Begun, CallLedger, Finished, LeftOpen
from bailiwick.policy import LoadedPolicy
from bailiwick.resilience import seconds_left
from bailiwick.sandbox import Request, Result, Sandbox, Spec
from bailiwick.tool import ToolDefinition
from bailiwick.toolbox.approval import Answer, approval_request, read_answer, unknown_outcome_request
from bailiwick.toolbox.history import context_of, request_id
from bailiwick.toolbox.record import CallOutcome, CallRecord
from bailiwick.toolbox.reply import reply, result_text
from bailiwick.tracing import ErrorPath, ErrorWatch, Span, add_inside_spans, current_traceparent, span
from bailiwick.tracing import conventions as words

__all__ = ["AskPerson", "CallSite", "GuardedCall", "RegisteredTool"]

AskPerson = Callable[[Any], Any]
"""LangGraph's ``interrupt``, or another that takes a question and gives the answer."""


@dataclass(frozen=True, kw_only=True)
class RegisteredTool:
    """A tool with its policy and the container it compiles to."""

    definition: ToolDefinition
    policy: LoadedPolicy
    spec: Spec
    inside: str
    """The tool's file as seen in the container."""


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


@dataclass(frozen=True, kw_only=True)
class GuardedCall:
    """The parts a call goes through. ``watch`` None: error paths are not kept."""

    tools: Mapping[str, RegisteredTool]
    sandbox: Sandbox
    ledger: CallLedger | None
    watch: ErrorWatch | None

    async def run(self, call: Call, site: CallSite) -> ToolMessage:
        """Take ``call`` all the way and give the message for the model, its record in the message's artifact."""
        attributes = words.tool_call(tool=call.tool, call_id=call.id, agent=call.agent, arguments=call.args)
        with span(f"execute_tool {call.tool}", "TOOL", attributes, control_flow=(GraphBubbleUp,)) as opened:
            record = CallRecord(
                id=call.id, tool=call.tool, agent=call.agent, args=call.args, decision="none", span_id=opened.span_id
            )
            record, text = await self._through(call, site, record)
            record = self._note(opened, site, record)
            opened.set(words.tool_outcome(output=text, outcome=record.outcome, decision=record.decision))
            return reply(record, text)

    async def _through(self, call: Call, site: CallSite, record: CallRecord) -> tuple[CallRecord, str]:
        tool = self.tools.get(call.tool)
        if tool is None:
            known = ", ".join(sorted(site.offered if site.offered is not None else self.tools)) or "none"
            text = f"There is no tool called {call.tool!r}. Tools here: {known}."
            return replace(record, outcome="unknown_tool", error_type="unknown_tool", error=text), text
        if problem := _schema_problem(tool.definition.parameters, call.args):
            text = f"The arguments do not fit {call.tool}: {problem}. Correct them and call again."
            return replace(record, outcome="invalid_arguments", error_type="invalid_arguments", error=problem), text

        verdict = self._decide(call, tool, site)
        record = _decided(record, verdict)
        match verdict:
            case Deny():
                return _denied(record, verdict)
            case Ask():
                answer = _ask(call, verdict, site)
                if answer.decision == "reject":
                    return _rejected(record, answer)
                record = replace(record, approved_by=answer.by or "the person asked")
            case Allow():
                pass
        return await self._once(call, tool, site, record)

    def _decide(self, call: Call, tool: RegisteredTool, site: CallSite) -> Verdict:
        context = context_of(site.messages, site.session, site.offered)
        with span("policy", "GUARDRAIL") as opened:
            verdict = decide(call, tool.policy, context)
            opened.inner.update_name(f"policy {verdict.rule or 'default'}")
            decision = _decision(verdict)
            opened.set(
                words.policy_decision(
                    decision=decision,
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
        self, call: Call, tool: RegisteredTool, site: CallSite, record: CallRecord
    ) -> tuple[CallRecord, str]:
        """Run the call unless the ledger knows that it ran: finished is replayed, left open is asked about."""
        key = f"{site.thread}:{request_id(site.messages, call.id)}"
        if self.ledger is None:
            return await self._run(call, tool, key, record)
        entry = await self.ledger.begin(
            thread=site.thread, call_id=request_id(site.messages, call.id), tool=call.tool, args=call.args
        )
        match entry:
            case Finished(result=known):
                kept = CallRecord(**known["record"])
                return replace(kept, span_id=record.span_id, replayed=True), str(known["text"])
            case LeftOpen(begun_at=begun_at):
                policy = tool.policy.policy
                if policy.effect != "read" and policy.recover != "idempotent":
                    begun = datetime.fromtimestamp(begun_at).astimezone().isoformat(timespec="seconds")
                    answer = _answer(site, unknown_outcome_request(call, begun), policy_by=())
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
        record, text = await self._run(call, tool, entry.key, record)
        await self.ledger.finish(entry.key, {"record": record.as_dict(), "text": text})
        return record, text

    async def _run(
        self, call: Call, tool: RegisteredTool, key: str, record: CallRecord
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
        )
        # Only a read may run again by itself, and only when its container was taken away under it.
        for attempt in range(1, 3 if policy.effect == "read" else 2):
            with span(f"attempt {attempt}", "CHAIN") as opened:
                try:
                    result = await self._in_sandbox(tool, request)
                except SandboxError as error:
                    opened.fail(type(error).__name__, error.message)
                    text = f"{call.tool} did not run: there is no working sandbox for it. Do not try again now."
                    return replace(
                        record, outcome="no_sandbox", error_type=type(error).__name__, error=str(error)
                    ), text
                record = _ran(record, policy.output.trust, result)
                if not record.ok:
                    opened.fail(record.error_type, record.error)
            if record.outcome != "killed":
                break
        return record, _told(record, policy.effect, result)

    async def _in_sandbox(self, tool: RegisteredTool, request: Request) -> Result:
        with span("sandbox.run", "CHAIN") as opened:
            result = await self.sandbox.run(tool.spec, replace(request, traceparent=current_traceparent()))
            opened.set(words.sandbox_run(result))
            add_inside_spans(opened, result.spans)
            if result.cause != "ok":
                opened.fail(result.failure.type if result.failure else result.cause, _why(result))
        return result

    def _note(self, opened: Span, site: CallSite, record: CallRecord) -> CallRecord:
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
        sighting = self.watch.saw(path, opened, record.error)
        return replace(record, error_path=sighting.fingerprint, error_path_state=sighting.state)


def _schema_problem(parameters: Mapping[str, Any], args: Mapping[str, Any]) -> str:
    """The first thing wrong with ``args``, or an empty string."""
    errors = sorted(Draft202012Validator(parameters).iter_errors(dict(args)), key=lambda error: list(error.path))
    if not errors:
        return ""
    place = ".".join(str(part) for part in errors[0].path)
    return f"{place}: {errors[0].message}" if place else errors[0].message


def _decision(verdict: Verdict) -> Literal["allow", "ask", "deny"]:
    match verdict:
        case Allow():
            return "allow"
        case Ask():
            return "ask"
        case Deny():
            return "deny"


def _decided(record: CallRecord, verdict: Verdict) -> CallRecord:
    return replace(
        record,
        decision=_decision(verdict),
        rule=verdict.rule or "",
        reason=verdict.reason,
        where=verdict.where,
        key="" if isinstance(verdict, Allow) else verdict.key,
    )


def _denied(record: CallRecord, verdict: Deny) -> tuple[CallRecord, str]:
    text = f"Not allowed: {verdict.advice or 'this call is not permitted here.'}"
    return replace(record, outcome="denied", error_type="denied", error=verdict.reason), text


def _rejected(record: CallRecord, answer: Answer) -> tuple[CallRecord, str]:
    why = answer.message or "no reason was given"
    text = f"A person was asked and did not approve this ({why}). Do not try it again."
    return replace(record, outcome="rejected", error_type="rejected", error=why, approved_by=""), text


def _ask(call: Call, verdict: Ask, site: CallSite) -> Answer:
    return _answer(site, approval_request(call, verdict), policy_by=verdict.approval.by)


def _answer(site: CallSite, question: Any, *, policy_by: Sequence[str]) -> Answer:
    if site.ask is None:
        return Answer(decision="reject", message="nobody can be asked here")
    return read_answer(site.ask(question), policy_by)


def _ran(record: CallRecord, trust: Literal["trusted", "untrusted"], result: Result) -> CallRecord:
    outcome: CallOutcome = result.cause
    return replace(
        record,
        outcome=outcome,
        error_type="" if result.cause == "ok" else (result.failure.type if result.failure else result.cause),
        error="" if result.cause == "ok" else _why(result),
        trust=trust,
        sandbox=result.sandbox,
        container=result.container,
        start_ms=round(result.start_ms, 2),
        wall_ms=round(result.wall_ms, 2),
    )


def _why(result: Result) -> str:
    if result.failure is not None:
        return result.failure.message or result.failure.type
    return {
        "timeout": "it took longer than its time limit and was stopped",
        "oom": "it needed more memory than its limit and was stopped",
        "signal": "it was ended by a signal",
        "output": "it gave more output than its limit",
        "killed": "its container was taken away before it answered",
    }.get(result.cause, result.cause)


def _told(record: CallRecord, effect: str, result: Result) -> str:
    if record.ok:
        return result_text(result.value)
    text = f"{record.tool} failed: {record.error_type}: {record.error}."
    if effect != "read" and record.outcome != "error":
        return text + " Whether it had its effect is not known: do not call it again; say so, and let a person look."
    return text + " Say plainly that it did not work, or try another way."
