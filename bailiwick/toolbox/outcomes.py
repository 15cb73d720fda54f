"""What a decision or a run means for the call's record, and what the model is told of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from bailiwick.gate import Allow, Deny, Verdict
from bailiwick.ledger import Finished
from bailiwick.policy import Policy
from bailiwick.sandbox import Result
from bailiwick.toolbox.approval import Answer
from bailiwick.toolbox.record import VALUE, CallOutcome, CallRecord
from bailiwick.toolbox.reply import fence, marked_text, result_text

__all__ = ["Told", "decided", "denied", "in_words", "kept", "ran", "rejected", "why_failed"]


class Told(NamedTuple):
    """What became of a call, what the model reads of it, and what it gave as JSON data; None: nothing."""

    record: CallRecord
    text: str
    value: Any = None


_LONGEST = 2000
"""Characters kept of a failure's message."""


def decided(record: CallRecord, verdict: Verdict) -> CallRecord:
    return replace(
        record,
        decision=verdict.decision,
        rule=verdict.rule or "",
        reason=verdict.reason,
        where=verdict.where,
        key="" if isinstance(verdict, Allow) else verdict.key,
        customer="" if isinstance(verdict, Allow) else verdict.customer,
    )


def denied(record: CallRecord, verdict: Deny) -> Told:
    text = f"Not allowed: {verdict.advice or 'this call is not permitted here.'}"
    return Told(replace(record, outcome="denied", error_type="denied", error=verdict.reason), text)


def rejected(record: CallRecord, answer: Answer) -> Told:
    why = answer.message or "no reason was given"
    text = f"This needs a person's approval and did not get it ({why}). Do not try it again."
    refused = replace(record, outcome="rejected", error_type="rejected", error=why, approved_by="", approved_at="")
    return Told(refused, text)


def kept(known: Finished, record: CallRecord) -> Told:
    before = CallRecord.from_dict(known.result["record"])
    again = replace(before, span_id=record.span_id, replayed=True)
    return Told(again, str(known.result["text"]), known.result.get(VALUE))


def ran(record: CallRecord, trust: Literal["trusted", "mixed", "untrusted"], result: Result) -> CallRecord:
    outcome: CallOutcome = result.cause
    return replace(
        record,
        outcome=outcome,
        error_type="" if result.cause == "ok" else _error_type(result),
        error="" if result.cause == "ok" else why_failed(result),
        trust=trust,
        sandbox=result.sandbox,
        container=result.container,
        start_ms=round(result.start_ms, 2),
        wall_ms=round(result.wall_ms, 2),
    )


def why_failed(result: Result) -> str:
    if result.failure is not None:
        message = result.failure.message or result.failure.type
        return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."
    return {
        "timeout": "it took longer than its time limit and was stopped",
        "oom": "it needed more memory than its limit and was stopped",
        "signal": "it was ended by a signal",
        "output": "it gave more output than its limit",
        "killed": "its container was taken away before it answered",
    }.get(result.cause, result.cause)


def in_words(record: CallRecord, policy: Policy, result: Result) -> str:
    effect = policy.effect
    if record.ok:
        kept_files = "".join(f"\nA file was kept: {name}" for name in record.files)
        if record.trust == "mixed":
            return marked_text(record.tool, result.value, policy.output.untrusted_fields) + kept_files
        return result_text(result.value) + kept_files
    if effect != "read" and record.outcome != "error":
        advice = "Whether it had its effect is not known: do not call it again; say so, and let a person look."
    else:
        advice = "Say plainly that it did not work, or try another way."
    if record.untrusted:
        # What a parser says of a hostile file may quote the file.
        return f"{record.tool} failed. {advice}\n{fence(record.tool, f'{record.error_type}: {record.error}')}"
    return f"{record.tool} failed: {record.error_type}: {record.error}. {advice}"


def _error_type(result: Result) -> str:
    """The exception's class as the tool's code named it, which may be anything; else the exit cause."""
    name = result.failure.type if result.failure is not None else result.cause
    return name if re.fullmatch(r"[A-Za-z_][\w.]{0,63}", name) else "ToolError"
