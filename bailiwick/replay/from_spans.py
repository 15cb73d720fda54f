"""From spans to conversations: threads put together from their traces, in order of time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, cast

from bailiwick.gate import leaves
from bailiwick.gate.json_value import malformed
from bailiwick.replay.recorded import BEFORE, Conversation, RecordedCall, Said, recorded_origins
from bailiwick.replay.span_record import CUT, SpanRecord
from bailiwick.tracing import conventions as words

__all__ = ["conversations_of"]

_REDACTED = re.compile(r"\[(?:e-mail|card number|secret)\]")
_SPEAKER = re.compile(r"^You are speaking with (.+)\.$", re.MULTILINE)
_PASSAGES_BELOW = "\n\nAnswer from the passages below"
"""Where the shipped graphs' instructions end and what was retrieved begins."""
_NOTE = re.compile(r"\[\d+ earlier messages are left out of this span\]")
_KEPT_FILE = re.compile(r"(?:\nA file was kept: [^\n]*)+\Z")
_DECISIONS = ("allow", "ask", "deny")


def conversations_of(spans: Iterable[SpanRecord]) -> list[Conversation]:
    """Every thread in ``spans`` that has calls or questions in it, by the time at which it begins.

    A trace whose spans name no thread is a conversation of its own.
    """
    distinct = {(span.trace, span.id): span for span in spans}
    in_order = sorted(distinct.values(), key=lambda span: span.start)
    traces: dict[str, list[SpanRecord]] = {}
    for span in in_order:
        traces.setdefault(span.trace, []).append(span)
    threads: dict[tuple[bool, str], list[list[SpanRecord]]] = {}
    for trace, its in traces.items():
        name = next(filter(None, (span.text("session.id") or span.text(words.CONVERSATION) for span in its)), "")
        threads.setdefault((bool(name), name or trace), []).append(its)
    made = [_conversation(thread, named, its) for (named, thread), its in threads.items()]
    known = _speakers(in_order, [call for each in made for call in each.calls])
    return [_with_speakers(each, known) for each in made if each.calls or each.said]


def _conversation(thread: str, named: bool, traces: Sequence[Sequence[SpanRecord]]) -> Conversation:
    said: list[Said] = []
    calls: list[RecordedCall] = []
    missing: dict[str, str] = {}
    asked_in: dict[str, str] = {}
    """By call id the last message that asked for it: a call that waited is resumed in another trace."""
    for trace in traces:
        said += _said(trace, missing)
        calls += _calls(trace, thread, asked_in)
    chats = [span for trace in traces for span in trace if _is_chat(span)]
    if chats and _began_before(chats[0], traces[0]):
        missing[BEFORE] = "the conversation began before what was recorded"
    texts = sorted(said, key=lambda each: each.at)
    return Conversation(
        thread=thread,
        named=named,
        said=tuple(_each_once(texts)),
        calls=tuple(_as_one(calls)),
        missing=missing,
    )


def _said(trace: Sequence[SpanRecord], missing: dict[str, str]) -> Iterator[Said]:
    turns = [span for span in trace if _is_turn(span)]
    for turn in turns:
        if text := _whole(turn.text("input.value"), "user", missing):
            yield Said(label="user", text=text, at=turn.start.timestamp())
    for span in trace:
        at = span.start.timestamp()
        if span.kind == "RETRIEVER" and span.attributes.get("bailiwick.retrieval.relevant") is not False:
            for passage in span.numbered("retrieval.documents"):
                texts = (
                    value for name, value in passage.items() if name != "document.score" and isinstance(value, str)
                )
                text = _whole("\n".join(texts), "knowledge", missing)
                yield Said(label="knowledge", text=text, at=span.end.timestamp())
        elif _is_chat(span):
            for message in span.numbered("llm.input_messages"):
                role, text = message.get("message.role"), str(message.get("message.content") or "")
                if role == "system" and not _NOTE.fullmatch(text):
                    own, *passages = text.split(_PASSAGES_BELOW)
                    yield Said(label="operator", text=_whole(own, "operator", {} if passages else missing), at=at)
                elif role == "user" and not turns:
                    yield Said(label="user", text=_whole(text, "user", missing), at=at)


def _each_once(said: Iterable[Said]) -> Iterator[Said]:
    """Each text at its first place: a prompt repeats what was said before."""
    seen: set[tuple[str, str]] = set()
    for each in said:
        if each.text and (each.label, each.text) not in seen:
            seen.add((each.label, each.text))
            yield each


def _whole(text: str, label: str, missing: dict[str, str]) -> str:
    if CUT.search(text):
        missing.setdefault(label, f"a text of the {label} was cut when it was recorded")
    return CUT.sub("", text)


def _calls(trace: Sequence[SpanRecord], thread: str, asked_in: dict[str, str]) -> Iterator[RecordedCall]:
    children: dict[str, list[SpanRecord]] = {}
    for span in trace:
        children.setdefault(span.parent, []).append(span)
    user = _user(trace)
    last = ""
    for span in trace:
        if _is_chat(span):
            last = span.id
            for message in span.numbered("llm.output_messages"):
                asked_in |= {str(value): span.id for name, value in message.items() if name.endswith("tool_call.id")}
        if span.kind != "TOOL" or span.text(words.OPERATION) != "execute_tool":
            continue
        call_id = span.text(words.CALL_ID)
        decided = [each for each in children.get(span.id, ()) if each.text("bailiwick.policy.decision")]
        args, incomplete = _arguments(span)
        call = _call(span, decided[-1] if decided else None)
        yield replace(
            call,
            thread=thread,
            message=asked_in.get(call_id) or last or span.trace,
            args=args,
            incomplete=incomplete,
            user=user,
        )


def _call(span: SpanRecord, policy: SpanRecord | None) -> RecordedCall:
    decision: Any = span.text("bailiwick.decision") or (policy.text("bailiwick.policy.decision") if policy else "")
    output = span.text("output.value")
    return RecordedCall(
        id=span.text(words.CALL_ID),
        tool=span.text("tool.name") or span.text(words.TOOL),
        agent=span.text(words.AGENT),
        args={},
        thread="",
        trace=span.trace,
        span=span.id,
        begun=span.start.timestamp(),
        ended=span.end.timestamp(),
        time=span.start,
        decision=decision if decision in _DECISIONS else "none",
        rule=policy.text("bailiwick.policy.rule") if policy else "",
        key=policy.text("bailiwick.policy.key") if policy else "",
        reason=policy.text("bailiwick.policy.reason") if policy else "",
        where=policy.text("bailiwick.policy.where") if policy else "",
        outcome=span.text("bailiwick.outcome") or "waiting",
        result=None if CUT.search(output) else _KEPT_FILE.sub("", output),
        trust=span.text("bailiwick.trust"),
        origins=_origins(policy.text("bailiwick.policy.origins") if policy else ""),
    )


def _arguments(span: SpanRecord) -> tuple[dict[str, Any], str]:
    text = span.text("input.value")
    if CUT.search(text):
        return {}, "its arguments were too long to be recorded whole"
    try:
        args: object = json.loads(text or "{}")
    except ValueError:
        args = None
    if not isinstance(args, dict):
        redacted = bool(_REDACTED.search(text))
        return {}, "something was redacted in its arguments" if redacted else "its arguments were not recorded as JSON"
    found = cast("dict[str, Any]", args)
    if any(isinstance(leaf, str) and _REDACTED.search(leaf) for leaf in leaves(found)):
        return found, "something was redacted in its arguments"
    return found, ""


def _origins(text: str) -> dict[str, tuple[str, ...]]:
    try:
        return recorded_origins(json.loads(text or "{}"))
    except ValueError:
        return {}  # it was too long to be recorded whole


def _as_one(calls: Iterable[RecordedCall]) -> Iterator[RecordedCall]:
    """Each call once: what waited for a person is recorded again when it is resumed, and so is what is told again."""
    found: list[RecordedCall] = []
    for (_, name, _), several in groupby(sorted(calls, key=lambda call: (*_which(call), call.begun)), key=_which):
        same = list(several)
        if not name:
            found += same
            continue
        settled = [call for call in same if call.outcome != "waiting"] or same[-1:]
        found.append(next((call for call in settled if call.rule or call.key), settled[0]))
    yield from sorted(found, key=lambda call: call.begun)


def _user(trace: Sequence[SpanRecord]) -> str | None:
    turns = [span for span in trace if _is_turn(span)]
    return turns[0].text("user.id") if turns else None


def _which(call: RecordedCall) -> tuple[str, str, str]:
    return call.message, call.id, json.dumps(call.args, sort_keys=True)


def _speakers(spans: Sequence[SpanRecord], calls: Sequence[RecordedCall]) -> dict[str, Any]:
    """User ids by their pseudonyms, which is all that a trace has of them: those that stand somewhere in the record."""
    wanted = {call.user for call in calls if call.user}
    prompts = (message for span in spans if _is_chat(span) for message in span.numbered("llm.input_messages"))
    texts = dict.fromkeys(str(each.get("message.content") or "") for each in prompts)
    found: dict[str, Any] = {}
    for candidate in (
        *(name for text in texts for name in _SPEAKER.findall(text)),
        *(leaf for call in calls for leaf in leaves(dict(call.args)) if type(leaf) in (str, int)),
    ):
        if malformed(candidate):
            continue
        name = words.turn(agent="", thread="", user_id=candidate, question="")["user.id"]
        if name in wanted:
            found.setdefault(name, candidate)
    return found


def _with_speakers(conversation: Conversation, known: Mapping[str, Any]) -> Conversation:
    calls = tuple(
        replace(call, session={"user_id": known[call.user]}) if call.user and call.user in known else call
        for call in conversation.calls
    )
    return replace(conversation, calls=calls)


def _began_before(chat: SpanRecord, trace: Sequence[SpanRecord]) -> bool:
    if chat.trace != trace[0].trace:
        return True
    messages = [message.get("message.role") for message in chat.numbered("llm.input_messages")]
    return "bailiwick.messages_left_out" in chat.attributes or "assistant" in messages


def _is_turn(span: SpanRecord) -> bool:
    return span.kind == "AGENT" and span.text(words.OPERATION) == "invoke_agent"


def _is_chat(span: SpanRecord) -> bool:
    return span.kind == "LLM"
