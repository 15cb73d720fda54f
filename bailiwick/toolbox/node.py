"""``toolbox.node()`` and ``tools_condition``: the two lines that change in a graph that exists."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, cast

from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langgraph.graph import END
from langgraph.prebuilt import ToolNode
from langgraph.types import Send

from bailiwick.toolbox.door import CallDoor, wrap_async, wrap_sync

__all__ = ["pending_calls", "tool_node", "tools_condition"]


def tool_node(door: CallDoor, *, name: str = "tools") -> ToolNode:
    """LangGraph's own ToolNode, with every call taken through ``door``.

    It knows no tool itself, so there is nothing that could be run around the door.
    """
    return ToolNode([], name=name, wrap_tool_call=wrap_sync(door), awrap_tool_call=wrap_async(door))


def pending_calls(state: object) -> list[ToolCall]:
    """The tool calls of the last AI message that have no ToolMessage yet."""
    found = cast("Mapping[str, Any]", state).get("messages") if isinstance(state, Mapping) else state
    messages: list[Any] = list(found if isinstance(found, list) else getattr(state, "messages", ()))  # pyright: ignore[reportUnknownArgumentType]
    answered: set[str] = set()
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AIMessage):
            return [call for call in message.tool_calls if call["id"] not in answered]
    return []


def tools_condition(state: object) -> list[Hashable]:
    """In place of LangGraph's ``tools_condition``: one ``Send`` to ``"tools"`` per pending call, or the end.

    One task per call means that an approval, a retry or a crash of one call never runs its siblings again.
    """
    sends: list[Hashable] = [Send("tools", [{**call, "type": "tool_call"}]) for call in pending_calls(state)]
    return sends or [END]
