"""Running a call in the sandbox: its attempts, their spans, and what each came to."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from pathlib import Path

from bailiwick.errors import SandboxError
from bailiwick.gate import Call, Context
from bailiwick.ledger import UsageLedger
from bailiwick.resilience import seconds_left
from bailiwick.sandbox import Request, Result, Sandbox, ToolFailure
from bailiwick.toolbox.outcomes import Told, in_words, ran, why_failed
from bailiwick.toolbox.output_files import keep_files
from bailiwick.toolbox.provenance import worth
from bailiwick.toolbox.record import CallRecord
from bailiwick.toolbox.registered import RegisteredTool
from bailiwick.tracing import add_egress_spans, add_inside_spans, current_traceparent, span
from bailiwick.tracing import conventions as words

__all__ = ["Running"]

HANDLING = 60.0
"""Seconds a sandbox may take beyond the tool's own time: to be started, and to stop a tool that will not end."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """The sandbox that calls run in, and where a call that did not run gives back what it took of limits."""

    sandbox: Sandbox
    usage: UsageLedger

    async def run(
        self, call: Call, tool: RegisteredTool, key: str, thread: str, record: CallRecord, context: Context
    ) -> Told:
        """Run ``call`` now. ``key`` is its idempotency key."""
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
            async with asyncio.timeout(limit):
                return await self.sandbox.run(tool.spec, request)
        except TimeoutError:
            failure = ToolFailure(type="SandboxHung", message=f"its sandbox did not answer within {limit:.0f} seconds")
            return Result(cause="killed", failure=failure, sandbox=self.sandbox.kind)
