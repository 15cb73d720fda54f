"""What each span says of itself: OpenInference's words, OpenTelemetry's GenAI words beside them, and a few of ours.

Every function gives attributes for ``Span.set``. None of them grows with the conversation: of a prompt the instructions
and the last messages are kept, with a note of how many lie between, so that a turn costs at its hundredth what it cost
at its first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from openinference.semconv.trace import (
    DocumentAttributes,
    MessageAttributes,
    SpanAttributes,
    ToolCallAttributes,
)

from bailiwick.tracing.bounds import ANSWER, CONTENT, IDENTIFIER, bounded, bounded_json

__all__ = [
    "SandboxResult",
    "call_circumstances",
    "model_request",
    "model_response",
    "policy_decision",
    "retrieval",
    "sandbox_run",
    "tool_call",
    "tool_outcome",
    "turn",
    "turn_outcome",
]

# OpenTelemetry keeps the GenAI names in a module that it calls incubating and moves about; they are spelled out here.
OPERATION = "gen_ai.operation.name"
AGENT = "gen_ai.agent.name"
CONVERSATION = "gen_ai.conversation.id"
REQUEST_MODEL = "gen_ai.request.model"
PROVIDER = "gen_ai.provider.name"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
TOOL = "gen_ai.tool.name"
CALL_ID = "gen_ai.tool.call.id"

LAST_MESSAGES = 6
"""Messages of a prompt that are shown besides its first."""

CALLS_SHOWN = 8
"""Tool calls shown of one message."""

DOCUMENTS_SHOWN = 10


class SandboxResult(Protocol):
    """What is told of a run: ``bailiwick.sandbox.Result``, seen from the floor below it."""

    @property
    def cause(self) -> str: ...
    @property
    def sandbox(self) -> str: ...
    @property
    def container(self) -> str: ...
    @property
    def image_digest(self) -> str: ...
    @property
    def spec_digest(self) -> str: ...
    @property
    def evidence(self) -> str: ...
    @property
    def waited(self) -> bool: ...
    @property
    def start_ms(self) -> float: ...
    @property
    def wall_ms(self) -> float: ...
    @property
    def cpu_ms(self) -> float: ...
    @property
    def peak_rss_bytes(self) -> int: ...
    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...


class Connection(Protocol):
    """What is told of a connection through the proxy: ``bailiwick.sandbox.EgressEvent``, seen from below."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def decision(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def sent(self) -> int: ...
    @property
    def received(self) -> int: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...


def turn(agent: str, thread: str, user_id: Any, question: str) -> dict[str, Any]:
    """The span of a turn. An empty ``question`` is a turn that was resumed; ``user_id`` None: nobody was named."""
    return {
        SpanAttributes.SESSION_ID: bounded(thread, IDENTIFIER),
        SpanAttributes.USER_ID: None if user_id is None else _pseudonym(str(user_id)),
        SpanAttributes.AGENT_NAME: agent,
        **_text_input(question),
        OPERATION: "invoke_agent",
        AGENT: agent,
        CONVERSATION: bounded(thread, IDENTIFIER),
    }


def turn_outcome(answer: str, outcome: str, any_new: bool) -> dict[str, Any]:
    """How a turn ended. ``any_new``: one of its error paths was never seen before, or had been resolved."""
    return {**_text_output(answer), "bailiwick.outcome": outcome, "error.path.any_new": any_new}


def model_request(name: str, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A request to the model ``name``. ``messages`` are ``{role, content, tool_calls}`` in plain data."""
    provider, colon, _ = name.partition(":")
    attributes: dict[str, Any] = {
        SpanAttributes.LLM_MODEL_NAME: name,
        OPERATION: "chat",
        REQUEST_MODEL: name,
        PROVIDER: provider if colon else None,
    }
    if messages:
        attributes |= _text_input(str(messages[-1].get("content", "")), limit=CONTENT)
    shown, left_out = _shown(messages)
    if left_out:
        attributes["bailiwick.messages_left_out"] = left_out
    for number, message in enumerate(shown):
        attributes |= _message(f"{SpanAttributes.LLM_INPUT_MESSAGES}.{number}", message)
    return attributes


def prompt_version(name: str, number: int, digest: str, label: str) -> dict[str, Any]:
    """Which version of which prompt was sent. ``number`` 0: it is not kept, and known by its ``digest`` alone."""
    return {
        SpanAttributes.LLM_PROMPT_TEMPLATE_VERSION: label,
        "bailiwick.prompt.name": name,
        "bailiwick.prompt.version": number or None,
        "bailiwick.prompt.digest": digest,
    }


def model_tried(tried: Sequence[str], *, answered: str) -> dict[str, Any]:
    """What was tried, in words, unless it was one attempt that did; and which model ``answered``, empty for none."""
    if len(tried) == 1 and answered:
        return {}
    return {"bailiwick.model.tried": list(tried), SpanAttributes.LLM_MODEL_NAME: answered or None}


def model_response(message: Mapping[str, Any], usage: Mapping[str, int], attempts: int = 1) -> dict[str, Any]:
    """What the model answered. ``usage`` is ``{input, output}`` in tokens; empty when the model does not say."""
    text = str(message.get("content", ""))
    attributes: dict[str, Any] = {
        **_message(f"{SpanAttributes.LLM_OUTPUT_MESSAGES}.0", message),
        **_text_output(text or _calls_in_words(message)),
        "bailiwick.attempts": attempts,
    }
    if usage:
        taken, given = usage.get("input", 0), usage.get("output", 0)
        attributes |= {
            SpanAttributes.LLM_TOKEN_COUNT_PROMPT: taken,
            SpanAttributes.LLM_TOKEN_COUNT_COMPLETION: given,
            SpanAttributes.LLM_TOKEN_COUNT_TOTAL: taken + given,
            INPUT_TOKENS: taken,
            OUTPUT_TOKENS: given,
        }
    return attributes


def tool_call(tool: str, call_id: str, agent: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A call as the model asked for it, whether or not there is such a tool."""
    text, mime = bounded_json(arguments, ANSWER)
    return {
        SpanAttributes.TOOL_NAME: bounded(tool, IDENTIFIER),
        SpanAttributes.INPUT_VALUE: text,
        SpanAttributes.INPUT_MIME_TYPE: mime,
        OPERATION: "execute_tool",
        TOOL: bounded(tool, IDENTIFIER),
        CALL_ID: bounded(call_id, IDENTIFIER),
        AGENT: agent,
    }


def tool_outcome(output: str, outcome: str, decision: str, trust: str = "") -> dict[str, Any]:
    """What the model is told of a call, how it ended, what the gate had said, and what its result is worth."""
    return {
        **_text_output(output),
        "bailiwick.outcome": outcome,
        "bailiwick.decision": decision,
        "bailiwick.trust": trust or None,
    }


def call_circumstances(stale_policy: str, approved_by: str, approved_at: str) -> dict[str, Any]:
    """Who said yes to a call and when, and why an older policy decided; each empty where it is not so."""
    return {
        "bailiwick.policy.stale": bounded(stale_policy, CONTENT) or None,
        "bailiwick.approved_by": bounded(approved_by, IDENTIFIER) or None,
        "bailiwick.approved_at": approved_at or None,
    }


def policy_decision(
    decision: str,
    rule: str,
    reason: str,
    where: str,
    digest: str,
    key: str,
    origins: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """A verdict of the gate: ``where`` is the rule's file and line, ``key`` what a denial failed on.

    ``origins`` is where each argument was found; empty or None: no rule asks.
    """
    return {
        **_text_output(f"{decision}: {reason}" if reason else decision),
        "bailiwick.policy.decision": decision,
        "bailiwick.policy.rule": rule,
        "bailiwick.policy.reason": bounded(reason, CONTENT),
        "bailiwick.policy.where": where,
        "bailiwick.policy.digest": digest,
        "bailiwick.policy.key": key or None,
        "bailiwick.policy.origins": bounded_json(origins, CONTENT)[0] if origins else None,
    }


def sandbox_run(result: SandboxResult) -> dict[str, Any]:
    """Where a call ran, how it ended there and what it used."""
    return {
        "bailiwick.sandbox.kind": result.sandbox,
        "bailiwick.sandbox.exit_cause": result.cause,
        "bailiwick.sandbox.container": bounded(result.container, IDENTIFIER) or None,
        "bailiwick.sandbox.image_digest": result.image_digest or None,
        "bailiwick.sandbox.spec_digest": result.spec_digest or None,
        "bailiwick.sandbox.evidence": result.evidence or None,
        "bailiwick.sandbox.waited": result.waited,
        "bailiwick.sandbox.start_ms": round(result.start_ms, 2),
        "bailiwick.sandbox.wall_ms": round(result.wall_ms, 2),
        "bailiwick.sandbox.cpu_ms": round(result.cpu_ms, 2),
        "bailiwick.sandbox.peak_rss_bytes": result.peak_rss_bytes,
        "bailiwick.sandbox.stdout": bounded(result.stdout, CONTENT) or None,
        "bailiwick.sandbox.stderr": bounded(result.stderr, CONTENT) or None,
    }


def egress(connection: Connection) -> dict[str, Any]:
    """A connection out of a sandbox, as the proxy decided and counted it."""
    return {
        SpanAttributes.OPENINFERENCE_SPAN_KIND: "CHAIN",
        "server.address": bounded(connection.host, IDENTIFIER),
        "server.port": connection.port,
        "network.peer.address": connection.address or None,
        "http.request.method": connection.method or None,
        "url.path": bounded(connection.path, IDENTIFIER) or None,
        "bailiwick.egress.decision": connection.decision,
        "bailiwick.egress.reason": bounded(connection.reason, CONTENT) or None,
        "bailiwick.egress.sent_bytes": connection.sent,
        "bailiwick.egress.received_bytes": connection.received,
    }


def retrieval(
    documents: Sequence[Mapping[str, Any]],
    mode: str,
    degraded: Sequence[str] = (),
    deadline_left: float | None = None,
    query: str = "",
) -> dict[str, Any]:
    """What a search found, best first. A document is ``{id, content or text, score, ...}``; the rest is metadata.

    ``mode``: ``hybrid``, ``keyword-only``, ``cached`` … ``degraded`` empty: every index answered. ``deadline_left`` is
    in seconds; None: there is no deadline.
    """
    attributes: dict[str, Any] = {
        **_text_input(query),
        "bailiwick.retrieval.mode": mode,
        "bailiwick.retrieval.degraded": [bounded(reason, CONTENT) for reason in degraded] or None,
        "bailiwick.retrieval.deadline_left_s": None if deadline_left is None else round(deadline_left, 3),
        "bailiwick.retrieval.found": len(documents),
    }
    for number, document in enumerate(documents[:DOCUMENTS_SHOWN]):
        attributes |= _document(f"{SpanAttributes.RETRIEVAL_DOCUMENTS}.{number}", document)
    return attributes


def _document(prefix: str, document: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in document.items() if key not in ("id", "content", "text", "score")}
    score = document.get("score")
    return {
        f"{prefix}.{DocumentAttributes.DOCUMENT_ID}": str(document.get("id", "")) or None,
        f"{prefix}.{DocumentAttributes.DOCUMENT_CONTENT}": bounded(
            str(document.get("content") or document.get("text") or ""), CONTENT
        ),
        f"{prefix}.{DocumentAttributes.DOCUMENT_SCORE}": float(score) if isinstance(score, (int, float)) else None,
        f"{prefix}.{DocumentAttributes.DOCUMENT_METADATA}": bounded_json(rest, CONTENT)[0] if rest else None,
    }


def _shown(messages: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], int]:
    """The first message and the last few, with a note between them, and how many were left out."""
    left_out = len(messages) - 1 - LAST_MESSAGES
    if left_out <= 0:
        return list(messages), 0
    note = {"role": "system", "content": f"[{left_out} earlier messages are left out of this span]"}
    return [messages[0], note, *messages[-LAST_MESSAGES:]], left_out


def _message(prefix: str, message: Mapping[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        f"{prefix}.{MessageAttributes.MESSAGE_ROLE}": str(message.get("role", "")),
        f"{prefix}.{MessageAttributes.MESSAGE_CONTENT}": bounded(str(message.get("content") or ""), CONTENT) or None,
    }
    calls: Sequence[Mapping[str, Any]] = message.get("tool_calls") or ()
    for number, call in enumerate(calls[:CALLS_SHOWN]):
        one = f"{prefix}.{MessageAttributes.MESSAGE_TOOL_CALLS}.{number}"
        arguments, _ = bounded_json(call.get("args", {}), CONTENT)
        attributes |= {
            f"{one}.{ToolCallAttributes.TOOL_CALL_ID}": str(call.get("id") or "") or None,
            f"{one}.{ToolCallAttributes.TOOL_CALL_FUNCTION_NAME}": bounded(str(call.get("name", "")), IDENTIFIER),
            f"{one}.{ToolCallAttributes.TOOL_CALL_FUNCTION_ARGUMENTS_JSON}": arguments,
        }
    return attributes


def _calls_in_words(message: Mapping[str, Any]) -> str:
    calls: Sequence[Mapping[str, Any]] = message.get("tool_calls") or ()
    return ", ".join(f"{call.get('name')}({json.dumps(call.get('args', {}), default=str)})" for call in calls)


def _text_input(text: str, *, limit: int = ANSWER) -> dict[str, Any]:
    if not text:
        return {}
    return {SpanAttributes.INPUT_VALUE: bounded(text, limit), SpanAttributes.INPUT_MIME_TYPE: "text/plain"}


def _text_output(text: str) -> dict[str, Any]:
    if not text:
        return {}
    return {SpanAttributes.OUTPUT_VALUE: bounded(text, ANSWER), SpanAttributes.OUTPUT_MIME_TYPE: "text/plain"}


def _pseudonym(user: str) -> str:
    """The same person gets the same letters, so that their turns can be found; it hides no id that can be guessed."""
    return hashlib.sha256(f"bailiwick user {user}".encode()).hexdigest()[:16]
