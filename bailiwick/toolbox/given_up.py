"""What is known of calls that a turn made and did not wait for: it was cancelled, or its process died."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage

from bailiwick.gate import Call
from bailiwick.ledger import CallLedger, Finished, LeftOpen
from bailiwick.toolbox.history import request_id
from bailiwick.toolbox.outcomes import kept
from bailiwick.toolbox.record import CallRecord
from bailiwick.toolbox.reply import reply

__all__ = ["given_up_calls", "known_of"]


def given_up_calls(messages: Sequence[BaseMessage]) -> list[ToolCall]:
    """The calls of the turn before the last question that have no ToolMessage. Empty: none was left."""
    answered: set[str] = set()
    last = next((at for at in range(len(messages) - 1, -1, -1) if messages[at].type == "human"), 0)
    for message in reversed(messages[:last]):
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AIMessage):
            return [call for call in message.tool_calls if call["id"] not in answered]
        elif message.type == "human":
            break
    return []


async def known_of(
    call: Call, *, ledger: CallLedger | None, thread: str, messages: Sequence[BaseMessage]
) -> ToolMessage:
    """The message that ``call`` never got: its result where it came back, else what is known of it."""
    record = CallRecord(id=call.id, tool=call.tool, agent=call.agent, args=call.args, decision="none")
    found = None if ledger is None else await ledger.look(thread=thread, call_id=request_id(messages, call))
    match found:
        case Finished():
            told = kept(found, record)
            return reply(told.record, told.text, told.value)
        case LeftOpen():
            text = (
                f"{call.tool} was begun and given up before it came back: whether it had its effect is not known. "
                "Do not call it again unasked; say so."
            )
        case None:
            text = f"{call.tool} was given up before it ran: nothing was done."
    return reply(replace(record, outcome="unknown_outcome", error_type="given_up", error=text), text, None)
