"""From what ``bailiwick ask --json`` printed to a conversation. It has the calls, and little of what was said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from bailiwick.replay.recorded import BEFORE, Conversation, RecordedCall, Said, recorded_origins

__all__ = ["conversations_of_turns", "is_turn"]

_NO_WORDS = "what `bailiwick ask --json` prints does not have the words of the user"


def is_turn(data: Mapping[str, Any]) -> bool:
    """Whether ``data`` has the form of a turn."""
    return isinstance(data.get("calls"), list) and "thread" in data


def conversations_of_turns(turns: Iterable[Mapping[str, Any]]) -> list[Conversation]:
    """Turns of one thread are one conversation, in the order in which they are given.

    Raises ValueError for a call that is none.
    """
    made: dict[str, Conversation] = {}
    at = 0.0
    for turn in turns:
        thread = str(turn.get("thread") or "")
        before = made.get(thread) or Conversation(
            thread=thread,
            named=bool(thread),
            missing={"user": _NO_WORDS, "operator": _NO_WORDS, BEFORE: "turns may have come before this one"},
        )
        said = list(before.said)
        for passage in _mappings(turn.get("passages")):
            said.append(Said(label="knowledge", text=_text(passage), at=at))
        calls = list(before.calls)
        for data in _mappings(turn.get("calls")):
            at += 1
            calls.append(_call(data, thread, str(turn.get("trace_id") or ""), at))
        at += 1
        made[thread] = replace(before, said=tuple(said), calls=tuple(calls))
    return list(made.values())


def _call(data: Mapping[str, Any], thread: str, trace: str, at: float) -> RecordedCall:
    args = data.get("args")
    if not isinstance(data.get("tool"), str) or not isinstance(args, dict):
        raise ValueError("one of its calls has no tool and args")

    def text(name: str) -> str:
        return str(data.get(name) or "")

    decision: Any = text("decision")
    return RecordedCall(
        id=text("id"),
        tool=text("tool"),
        agent=text("agent"),
        args=cast("dict[str, Any]", args),
        thread=thread,
        trace=trace,
        span=text("span_id"),
        message=f"{trace}/{at:g}",
        begun=at,
        ended=at,
        decision=decision if decision in ("allow", "ask", "deny") else "none",
        rule=text("rule"),
        key=text("key"),
        reason=text("reason"),
        where=text("where"),
        outcome=text("outcome"),
        trust=text("trust"),
        origins=recorded_origins(data.get("origins")),
    )


def _mappings(value: object) -> list[Mapping[str, Any]]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("Mapping[str, Any]", item) for item in items if isinstance(item, Mapping)]


def _text(passage: Mapping[str, Any]) -> str:
    return "\n".join(each for each in passage.values() if isinstance(each, str))
