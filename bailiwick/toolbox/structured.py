"""A tool of the toolbox as LangChain's ``StructuredTool``, guarded wherever it is put."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool
from langgraph.prebuilt import ToolRuntime

from bailiwick.definition import ToolDefinition
from bailiwick.resilience import run_sync
from bailiwick.toolbox.door import CallDoor, through_door

__all__ = ["GuardedTool", "guarded_functions", "structured_tool"]


class GuardedTool(StructuredTool):
    """A StructuredTool that answers under the id of the call, also where no ToolNode hands it a runtime."""

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return _under_its_id(super().invoke(input, config, **kwargs), input)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return _under_its_id(await super().ainvoke(input, config, **kwargs), input)


def structured_tool(door: CallDoor, definition: ToolDefinition) -> StructuredTool:
    """The function behind it is the guarded way itself, so that no graph can go around gate and sandbox."""
    call, call_sync = guarded_functions(door, definition)
    return GuardedTool(
        name=definition.name,
        description=definition.description,
        args_schema=dict(definition.parameters),
        func=call_sync,
        coroutine=call,
    )


def guarded_functions(door: CallDoor, definition: ToolDefinition) -> tuple[Any, Any]:
    """The asynchronous and the synchronous function of a tool. ``runtime`` is what LangGraph's ToolNode fills in."""

    async def call(runtime: ToolRuntime[Any, Any] = None, **args: Any) -> ToolMessage:  # type: ignore[assignment]
        return await through_door(door, definition.name, args, runtime)

    def call_sync(runtime: ToolRuntime[Any, Any] = None, **args: Any) -> ToolMessage:  # type: ignore[assignment]
        return run_sync(through_door(door, definition.name, args, runtime))

    return call, call_sync


def _under_its_id(answer: Any, asked: object) -> Any:
    if isinstance(answer, ToolMessage) and isinstance(asked, dict) and asked.get("type") == "tool_call":  # pyright: ignore[reportUnknownMemberType]
        return answer.model_copy(update={"tool_call_id": asked["id"]})
    return answer
