"""The toolbox as middleware of ``create_agent``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware.types import AgentMiddleware
from langchain_core.messages import ToolMessage
from langgraph.prebuilt.tool_node import ToolCallRequest

from bailiwick.toolbox.door import CallDoor, wrap_async, wrap_sync

__all__ = ["ToolboxMiddleware"]


class ToolboxMiddleware(AgentMiddleware[Any, Any]):
    """Every tool call of the agent goes through the toolbox, whatever other tools the agent was given.

    A tool of the agent that the toolbox does not know is answered as unknown: authority is never taken from the list
    of tools alone.
    """

    def __init__(self, door: CallDoor) -> None:
        super().__init__()
        self._sync, self._async = wrap_sync(door), wrap_async(door)

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any]) -> ToolMessage:
        return self._sync(request, handler)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> ToolMessage:
        return await self._async(request, handler)
