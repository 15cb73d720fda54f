"""What the gate may know of a thread: what came before, and what untrusted content it has read.

The ledger is asked where there is one, since nobody can edit it: messages may be summarised away by a middleware, and
come from the client where a server takes state as input. Without a ledger the messages are all there is; they are what
LangGraph checkpoints, so this works in graphs that were written before Bailiwick was there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from bailiwick.gate import Call, Context, PastCall
from bailiwick.ledger import Happened
from bailiwick.toolbox.record import ARTIFACT, CallRecord, record_of

__all__ = ["arguments_digest", "context_of", "message_prefix", "records_of", "request_id"]


def records_of(messages: Iterable[BaseMessage]) -> list[CallRecord]:
    """The records of every call that has an outcome, oldest first."""
    found = (record_of(message) for message in messages if isinstance(message, ToolMessage))
    return [record for record in found if record is not None]


def context_of(
    messages: Sequence[BaseMessage],
    session: Mapping[str, Any],
    offered: Iterable[str] | None = None,
    *,
    happened: Sequence[Happened] | None = None,
) -> Context:
    """What came before in this thread, what untrusted sources it has read, and who is speaking.

    ``happened`` is what the ledger knows of the thread; None: it does not know the thread, and messages count alone.
    Untrusted is what either of them says is.
    """
    read = list(_untrusted(messages))
    if happened is None:
        records = records_of(messages)
        past = tuple(PastCall(tool=record.tool, args=record.args, ok=record.ok) for record in records)
    else:
        past = tuple(PastCall(tool=each.tool, args=each.args, ok=each.ok) for each in happened)
        read += [each.tool for each in happened if each.untrusted]
    return Context(
        session=session,
        past=past,
        untrusted=tuple(dict.fromkeys(read)),
        offered=None if offered is None else frozenset(offered),
    )


def _untrusted(messages: Iterable[BaseMessage]) -> Iterator[str]:
    """The tools whose results brought in what others wrote, without reading each record whole: histories are long."""
    for message in messages:
        artifact: Any = message.artifact if isinstance(message, ToolMessage) else None
        data: Any = cast("dict[str, Any]", artifact).get(ARTIFACT) if isinstance(artifact, dict) else None
        if isinstance(data, dict) and cast("dict[str, Any]", data).get("trust") != "trusted":
            record = record_of(cast("ToolMessage", message))
            if record is not None and record.untrusted:
                yield record.tool


def arguments_digest(call: Call) -> str:
    """A short digest of the tool and its exact arguments: what a result, an approval and a key are bound to."""
    text = json.dumps([call.tool, dict(call.args)], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def request_id(messages: Sequence[BaseMessage], call: Call) -> str:
    """An id for the call that no other turn repeats: the message that asked for it, the call's own id, what it asks.

    Call ids alone will not do: some providers count them from one in every message. And a message that was edited
    after its call had run asks for something else.
    """
    return f"{message_prefix(messages, call)}{call.id}/{arguments_digest(call)}"


def message_prefix(messages: Sequence[BaseMessage], call: Call) -> str:
    """What the ids of all calls of the message that asked for ``call`` begin with; empty when it is not there."""
    for message in reversed(messages):
        if isinstance(message, AIMessage) and any(each["id"] == call.id for each in message.tool_calls):
            return f"{message.id or 'message'}/"
    return ""
