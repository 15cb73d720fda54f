"""At most once: what the ledger knows of a call decides whether it runs, is told again, looked up or asked about.

Whoever takes a call has its key alone among all processes, so that a row left open was left by somebody who is gone:
two processes that resume one conversation at the same moment run its calls once, and both get the result.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bailiwick.database import hold
from bailiwick.gate import Call, Context
from bailiwick.ledger import Begun, CallLedger, Finished, LeftOpen
from bailiwick.policy import Lookup
from bailiwick.resilience import seconds_left, to_its_end
from bailiwick.toolbox.approval import Answer, unknown_outcome_request, unsettled_request
from bailiwick.toolbox.asking import Asking
from bailiwick.toolbox.deciding import Deciding
from bailiwick.toolbox.history import message_prefix
from bailiwick.toolbox.looking_up import Found, LookingUp
from bailiwick.toolbox.outcomes import Told, decided, denied, in_words, kept, ran
from bailiwick.toolbox.provenance import worth
from bailiwick.toolbox.record import UNKNOWN_AFTER, VALUE, CallRecord
from bailiwick.toolbox.registered import CallSite, RegisteredTool
from bailiwick.toolbox.running import HANDLING, Running

__all__ = ["Once", "must_ask_again"]


def must_ask_again(tool: RegisteredTool) -> bool:
    """Whether a call of unknown outcome may not simply be run again."""
    policy = tool.policy.policy
    return policy.effect != "read" and policy.recover != "idempotent"


@dataclass(frozen=True, kw_only=True)
class Once:
    """``ledger`` None: nothing is remembered, and every call runs."""

    tools: Mapping[str, RegisteredTool]
    ledger: CallLedger | None
    asking: Asking
    deciding: Deciding
    running: Running

    async def run(
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
        """Run the call unless the ledger knows that it ran. ``request`` is its id there.

        ``by`` may answer what is asked here; empty: anyone whom the application lets answer.
        """
        if seconds_left(1) <= 0:
            text = f"{call.tool} was not run: the time of this turn is used up."
            return Told(replace(record, outcome="no_sandbox", error_type="DeadlineExceeded", error=text), text)
        key = f"{site.thread}:{request}"
        if self.ledger is None:
            if full := await self.deciding.take(call, tool, site, key, record.rule):
                return denied(decided(record, full), full)
            return await self.running.run(call, tool, key, site.thread, record, context)
        seconds = seconds_left(tool.policy.policy.sandbox.limits.time.total_seconds() + HANDLING)
        try:
            async with hold(self.ledger.database, f"call:{key}", seconds=seconds):
                return await self._alone(self.ledger, call, tool, site, request, record, context, by)
        except TimeoutError:
            text = f"{call.tool} is being run by another process and has not come back; it was not run again. Say so."
            return _unknown(record, "InFlightElsewhere", text)

    async def _alone(
        self,
        ledger: CallLedger,
        call: Call,
        tool: RegisteredTool,
        site: CallSite,
        request: str,
        record: CallRecord,
        context: Context,
        by: Sequence[str],
    ) -> Told:
        key = f"{site.thread}:{request}"
        if must_ask_again(tool) and not await self._settled(ledger, call, tool, site, request, by):
            text = (
                f"An earlier call of {call.tool} was begun and never came back; whether it had its effect is not "
                "known, and this one was not run. Say so, and let a person look."
            )
            return _unknown(record, "unknown_outcome", text)
        if full := await self.deciding.take(call, tool, site, key, record.rule):
            return denied(decided(record, full), full)
        if tool.policy.policy.effect == "read":
            return await self._read(ledger, call, tool, site, request, record, context)
        entry = await ledger.begin(thread=site.thread, call_id=request, tool=call.tool, args=call.args)
        match entry:
            case Finished():
                return kept(entry, record)
            case LeftOpen() if must_ask_again(tool):
                match await self._looked_up(call, tool, entry, context):
                    case Found(result=result) if result is not None:
                        happened = ran(record, worth(tool.policy.policy, call, context, result.value), result)
                        told = Told(happened, in_words(happened, tool.policy.policy, result), result.value)
                        return await self._finished(ledger, entry.key, told)
                    case Found():
                        pass  # it did not happen
                    case None:
                        moment = _moment(entry.begun_at)
                        # Named by its beginning: after another crash it is another question.
                        question = f"{entry.key}:unknown_outcome:{entry.begun_at}"
                        answer = await self.asking.put(question, unknown_outcome_request(call, moment), by=by)
                        if answer.decision == "reject":
                            return _unknown(record, "unknown_outcome", _left(call, answer))
                entry = await ledger.reopen(entry.key)
            case LeftOpen():  # it may run again with the same key
                entry = await ledger.reopen(entry.key)
            case Begun():
                pass
        return await self._to_its_end(ledger, call, tool, entry.key, site.thread, record, context)

    async def _read(
        self,
        ledger: CallLedger,
        call: Call,
        tool: RegisteredTool,
        site: CallSite,
        request: str,
        record: CallRecord,
        context: Context,
    ) -> Told:
        """A read may run again, so that it need not be written that it begins; what it gave is told again."""
        known = await ledger.look(thread=site.thread, call_id=request)
        if isinstance(known, Finished):
            return kept(known, record)
        began = time.time()
        told = await self.running.run(call, tool, f"{site.thread}:{request}", site.thread, record, context)
        await ledger.keep(
            {"record": told.record.as_dict(), "text": told.text, VALUE: told.value},
            thread=site.thread,
            call_id=request,
            tool=call.tool,
            args=call.args,
            begun_at=began,
            ok=told.record.ok,
            untrusted=told.record.untrusted,
        )
        return told

    async def _to_its_end(
        self,
        ledger: CallLedger,
        call: Call,
        tool: RegisteredTool,
        key: str,
        thread: str,
        record: CallRecord,
        context: Context,
    ) -> Told:
        async def work() -> Told:
            told = await self.running.run(call, tool, key, thread, record, context)
            if told.record.outcome in UNKNOWN_AFTER and must_ask_again(tool):
                told = await self._unless_it_happened(call, tool, key, told, context)
            return await self._finished(ledger, key, told, unknown=must_ask_again(tool))

        # A turn that is cancelled waits for the write that it has begun, so that what came of it is known.
        return await to_its_end(work())

    async def _finished(self, ledger: CallLedger, key: str, told: Told, *, unknown: bool = False) -> Told:
        result = {"record": told.record.as_dict(), "text": told.text, VALUE: told.value}
        record = told.record
        ok = None if unknown and record.outcome in UNKNOWN_AFTER else record.ok
        await ledger.finish(key, result, ok=ok, untrusted=record.untrusted)
        return told

    async def _unless_it_happened(
        self, call: Call, tool: RegisteredTool, key: str, told: Told, context: Context
    ) -> Told:
        """What is known of a write that was stopped in the middle, where its policy says how to find out."""
        match await self._looked_up(call, tool, LeftOpen(key=key, begun_at=0.0), context):
            case Found(result=result) if result is not None:
                record = replace(told.record, outcome="ok", error_type="", error="")
                record = replace(record, trust=worth(tool.policy.policy, call, context, result.value))
                return Told(record, in_words(record, tool.policy.policy, result), result.value)
            case Found():
                text = f"{call.tool} was stopped before it had its effect: nothing was done. It may be tried again."
                return Told(replace(told.record, outcome="error"), text)
            case None:
                return told

    async def _looked_up(self, call: Call, tool: RegisteredTool, left: LeftOpen, context: Context) -> Found | None:
        recover = tool.policy.policy.recover
        if not isinstance(recover, Lookup):
            return None
        looking = LookingUp(tools=self.tools, running=self.running)
        return await looking.look(recover.lookup, call, left.key, context)

    async def _settled(
        self,
        ledger: CallLedger,
        call: Call,
        tool: RegisteredTool,
        site: CallSite,
        request: str,
        by: Sequence[str],
    ) -> bool:
        """Whether no earlier call of this tool is lost in this conversation, or a person has looked and says go on.

        A process that died in a call may leave its turn unfinished for good: the conversation goes on with another
        question, and the model asks for the same thing again. Then the ledger is the only one that knows.
        """
        if not site.resumable:
            return True
        beside = message_prefix(site.messages, call) or request
        lost = await ledger.unsettled(site.thread, call.tool, beside=beside)
        if lost is None:
            return True
        try:  # it may be running in another process at this moment, and not be lost at all
            async with hold(ledger.database, f"call:{lost.key}", seconds=seconds_left(HANDLING)):
                lost = await ledger.unsettled(site.thread, call.tool, beside=beside)
        except TimeoutError:
            return False
        if lost is None:
            return True
        key = f"{site.thread}:{request}:unsettled:{lost.begun_at}"
        answer = await self.asking.put(key, unsettled_request(call, _moment(lost.begun_at)), by=by)
        if answer.decision == "reject":
            return False
        await ledger.settle(lost.key)
        return True


def _left(call: Call, answer: Answer) -> str:
    begun = f"{call.tool} was begun earlier and never came back"
    if answer.message:
        return f"{begun}; it was not run again. What a person who was asked says of it: {answer.message}"
    return f"{begun}; whether it had its effect is not known, and it was not run again. Say so, and let a person look."


def _unknown(record: CallRecord, error_type: str, text: str) -> Told:
    return Told(replace(record, outcome="unknown_outcome", error_type=error_type, error=text), text)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
