"""A tool of the toolbox as LangChain's ``StructuredTool``, guarded wherever it is put."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.prebuilt import ToolRuntime

from bailiwick.resilience import run_sync
from bailiwick.tool import ToolDefinition
from bailiwick.toolbox.door import CallDoor, through_door

__all__ = ["structured_tool"]


def structured_tool(door: CallDoor, definition: ToolDefinition) -> BaseTool:
    """The function behind it is the guarded way itself, so that no graph can go around gate and sandbox."""

    async def call(runtime: ToolRuntime[Any, Any] = None, **args: Any) -> ToolMessage:  # type: ignore[assignment]
        return await through_door(door, definition.name, args, runtime)

    def call_sync(runtime: ToolRuntime[Any, Any] = None, **args: Any) -> ToolMessage:  # type: ignore[assignment]
        return run_sync(through_door(door, definition.name, args, runtime))

    return StructuredTool(
        name=definition.name,
        description=definition.description,
        args_schema=dict(definition.parameters),
        func=call_sync,
        coroutine=call,
    )
