"""What the gate may know of a thread, read from its messages alone.

The messages are what LangGraph checkpoints, so this needs no state key of its own and works in graphs that were
written before Bailiwick was there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from bailiwick.gate import Context, PastCall
from bailiwick.toolbox.record import CallRecord, record_of

__all__ = ["context_of", "records_of", "request_id"]


def records_of(messages: Iterable[BaseMessage]) -> list[CallRecord]:
    """The records of every call that has an outcome, oldest first."""
    found = (record_of(message) for message in messages if isinstance(message, ToolMessage))
    return [record for record in found if record is not None]


def context_of(
    messages: Sequence[BaseMessage], session: Mapping[str, Any], offered: Iterable[str] | None = None
) -> Context:
    """What came before in this thread, what untrusted sources it has read, and who is speaking."""
    records = records_of(messages)
    read = (record.tool for record in records if record.trust == "untrusted" and record.ok)
    return Context(
        session=session,
        past=tuple(PastCall(tool=record.tool, args=record.args, ok=record.ok) for record in records),
        untrusted=tuple(dict.fromkeys(read)),
        offered=None if offered is None else frozenset(offered),
    )


def request_id(messages: Sequence[BaseMessage], call_id: str) -> str:
    """An id for the call that no other turn repeats: the message that asked for it and the call's own id.

    Call ids alone will not do: some providers count them from one in every message.
    """
    for message in reversed(messages):
        if isinstance(message, AIMessage) and any(call["id"] == call_id for call in message.tool_calls):
            return f"{message.id or 'message'}/{call_id}"
    return call_id
