"""What the model is sent: instructions, passages with numbers to cite, and the conversation in good order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, SystemMessage, ToolCall, ToolMessage

from bailiwick.graph.history_window import within

__all__ = ["build_prompt", "last_question", "passage_block"]

_CITE = (
    "Answer from the passages below where they help, and cite each one you use by its number in square brackets, "
    "like [1]. If neither they nor a tool tell you, say that you do not know."
)

_ATTACHED = re.compile(r"^\[attached: [^\]\n]*\]$", re.MULTILINE)


def build_prompt(
    instructions: str,
    passages: Sequence[Mapping[str, Any]],
    messages: Sequence[AnyMessage],
    *,
    speaker: str = "",
    window: int = 0,
) -> list[BaseMessage]:
    """One system message, then the conversation in which every tool call has its answer right behind it.

    ``window`` is how many tokens of conversation are sent, the last turns of it; 0: all.

    ``speaker`` is the user id that the application bound to the session. The model is told it so that it can fill it
    in; whether it is the right one is for the gate to say. Empty: nobody is named.
    """
    system = instructions.strip()
    if speaker:
        system += f"\n\nYou are speaking with {speaker}."
    if passages:
        system += f"\n\n{_CITE}\n\n" + "\n\n".join(passage_block(n, p) for n, p in enumerate(passages, start=1))
    conversation = _mended(messages)
    if window:
        conversation, left_out = within(conversation, window)
        system += f"\n\n{left_out}" if left_out else ""
    return [SystemMessage(system), *conversation]


def passage_block(number: int, passage: Mapping[str, Any]) -> str:
    """``[1] manual.pdf p. 3`` and the passage's text below it."""
    return f"[{number}] {passage['citation']}\n{passage['text']}"


def last_question(messages: Sequence[BaseMessage]) -> str:
    """The text of the last human message without the names of attached files, or an empty string."""
    text = next((message.text for message in reversed(messages) if message.type == "human"), "")
    return _ATTACHED.sub("", text).strip()


def _mended(messages: Sequence[AnyMessage]) -> list[BaseMessage]:
    """Put each ToolMessage behind its call, and one that says so where a cancelled turn left a call without any.

    Providers refuse a history with a dangling call; the checkpoint keeps what really happened.
    """
    replies = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    mended: list[BaseMessage] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            continue
        mended.append(message)
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                mended.append(replies.get(call["id"] or "") or _missing(call))
    return mended


def _missing(call: ToolCall) -> ToolMessage:
    text = "This call was given up before it came back; nothing is known of it."
    return ToolMessage(text, tool_call_id=call["id"] or "", name=call["name"], status="error")
