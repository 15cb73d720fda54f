"""Errands: work that a graph gives to another agent, or to itself as a step, told to models as calls of a tool.

What is said and done within an errand stands in the conversation between its call and its result, so that the gate and
the ledger see it as they see everything. A model outside sees the call and the result alone; a model inside sees the
call answered by its task, and what it did since. So the task is never taken for something the customer said, and every
prompt ends as providers want it: with the customer's words or a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, AnyMessage, ToolCall, ToolMessage

__all__ = ["Errands"]

_LATER = "This is done after what is at work now."


@dataclass(frozen=True, kw_only=True)
class Errands:
    """The calls of the tool ``name``, which is the graph's own. A conversation without such calls is seen as it is."""

    name: str

    def open(self, messages: Sequence[AnyMessage]) -> ToolCall | None:
        """The errand at work: the first that was asked for and has no result. None: there is none."""
        waiting = self._read(messages).waiting
        return waiting[0] if waiting else None

    def outside(self, messages: Sequence[AnyMessage]) -> list[AnyMessage]:
        """The conversation without what was said and done within errands."""
        return self._read(messages).seen

    def inside(self, messages: Sequence[AnyMessage], task: str) -> list[AnyMessage]:
        """The conversation as whoever is at work sees it: ``task`` in the place of a result, then its own messages."""
        read = self._read(messages)
        told = [task, *[_LATER] * (len(read.waiting) - 1)]
        answered = [
            ToolMessage(text, tool_call_id=call["id"] or "", name=self.name)
            for text, call in zip(told, read.waiting, strict=True)
        ]
        return [*read.seen, *answered, *read.within]

    def report(self, messages: Sequence[AnyMessage]) -> str | None:
        """What whoever is at work has said at its end. None: it has not begun, or waits for calls of its own."""
        within = self._read(messages).within
        last = within[-1] if within else None
        return last.text if isinstance(last, AIMessage) and not last.tool_calls else None

    def result(self, call: ToolCall, text: str, *, failed: bool = False) -> ToolMessage:
        """What ends the errand ``call``."""
        return ToolMessage(text, tool_call_id=call["id"] or "", name=self.name, status="error" if failed else "success")

    def _read(self, messages: Sequence[AnyMessage]) -> _Read:
        read = _Read(seen=[], within=[], waiting=[])
        calls: set[str | None] = set()
        inner: set[str | None] = set()
        for message in messages:
            if message.type == "human":
                # A turn was given up with an errand open: what was done in it is for everybody to see.
                read.seen.extend(read.within)
                read.waiting.clear()
                read.within.clear()
            elif isinstance(message, AIMessage):
                if read.waiting:
                    inner = {call["id"] for call in message.tool_calls}
                    read.within.append(message)
                    continue
                calls = {call["id"] for call in message.tool_calls}
                read.waiting.extend(call for call in message.tool_calls if call["name"] == self.name)
            elif isinstance(message, ToolMessage) and read.waiting:
                # Inner calls first: some providers count the ids of calls from one in every message.
                if message.tool_call_id in inner or message.tool_call_id not in calls:
                    inner.discard(message.tool_call_id)
                    read.within.append(message)
                    continue
                if any(call["id"] == message.tool_call_id for call in read.waiting):
                    read.within.clear()
                    read.waiting[:] = [call for call in read.waiting if call["id"] != message.tool_call_id]
            read.seen.append(message)
        return read


@dataclass(kw_only=True)
class _Read:
    seen: list[AnyMessage]
    within: list[AnyMessage]
    """Messages of the errand at work. Empty: it has not begun, or there is none."""
    waiting: list[ToolCall]
    """Errands of this turn without a result, in the order in which they were asked for."""
