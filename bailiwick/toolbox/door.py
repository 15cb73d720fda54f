"""From LangGraph's side to ours: what a ToolNode knows of a call becomes a ``Call`` and its ``CallSite``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, cast
from uuid import uuid4

from langchain_core.messages import BaseMessage, ToolMessage
from langgraph.prebuilt import ToolRuntime
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import interrupt

from bailiwick.gate import Call
from bailiwick.resilience import run_sync
from bailiwick.toolbox.happenings import tell
from bailiwick.toolbox.record import record_of
from bailiwick.toolbox.registered import CallSite
from bailiwick.toolbox.session import session_values

__all__ = ["CallDoor", "through_door", "wrap_async", "wrap_sync"]

Runtime = ToolRuntime[Any, Any]
_CHECKPOINTER = "__pregel_checkpointer"
_DURABILITY = "__pregel_durability"
"""Where LangGraph puts the checkpointer of a run, and how it writes; neither has a public name."""


class CallDoor(Protocol):
    """Whoever takes a call: a Toolbox, or an agent's view of one."""

    @property
    def agent(self) -> str: ...

    @property
    def offered(self) -> frozenset[str] | None:
        """Names of the tools offered here; None: all there are."""
        ...

    @property
    def instructions(self) -> str:
        """What the operator told the model; empty where it is not known here."""
        ...

    def offered_in(self, state: object) -> frozenset[str] | None:
        """As ``offered``, in a state of the graph."""
        ...

    async def call(self, call: Call, site: CallSite) -> ToolMessage: ...


async def through_door(door: CallDoor, tool: str, args: Mapping[str, Any], runtime: Runtime | None) -> ToolMessage:
    """Take a call through ``door`` with all that ``runtime`` knows; None: the call stands alone."""
    if runtime is None:
        alone = Call(id=str(uuid4()), tool=tool, agent=door.agent, args=args)
        return await door.call(alone, CallSite(agent=door.agent, thread=alone.id, session={}, offered=door.offered))
    configurable = runtime.config.get("configurable", {})
    kept = bool(configurable.get("thread_id") and configurable.get(_CHECKPOINTER))
    site = CallSite(
        agent=door.agent,
        # Without a thread there is no checkpoint and no resume: a key of its own means that nothing is replayed.
        thread=str(configurable.get("thread_id") or uuid4()),
        node=str(runtime.config.get("metadata", {}).get("langgraph_node") or "tools"),
        messages=_messages(runtime.state),
        session=session_values(runtime.context),
        offered=door.offered_in(runtime.state),
        instructions=door.instructions,
        passages=_passages(runtime.state),
        # A graph without a checkpointer cannot wait for a person: its questions would be lost with the run.
        ask=interrupt if kept else None,
        resumable=kept,
        at_the_end=kept and configurable.get(_DURABILITY) == "exit",
    )
    call = Call(id=runtime.tool_call_id or str(uuid4()), tool=tool, agent=door.agent, args=args)
    message = await door.call(call, site)
    if (record := record_of(message)) is not None:
        tell(runtime.stream_writer, {"call": record.as_dict()})
    return message


def wrap_async(
    door: CallDoor,
) -> Callable[[ToolCallRequest, Callable[[ToolCallRequest], Awaitable[Any]]], Awaitable[ToolMessage]]:
    """A ToolNode's ``awrap_tool_call`` that takes every call through ``door`` and never calls the handler."""

    async def wrap(request: ToolCallRequest, handler: object) -> ToolMessage:
        call = request.tool_call
        return await through_door(door, call["name"], call["args"], _runtime(request))

    return wrap


def wrap_sync(door: CallDoor) -> Callable[[ToolCallRequest, Callable[[ToolCallRequest], Any]], ToolMessage]:
    """As ``wrap_async``, for a graph that is invoked synchronously."""

    def wrap(request: ToolCallRequest, handler: object) -> ToolMessage:
        call = request.tool_call
        return run_sync(through_door(door, call["name"], call["args"], _runtime(request)))

    return wrap


def _runtime(request: ToolCallRequest) -> Runtime:
    return cast("Runtime", request.runtime)  # pyright: ignore[reportUnknownMemberType]  LangGraph leaves its types open


def _messages(state: object) -> Sequence[BaseMessage]:
    if isinstance(state, Mapping):
        found: Any = cast("Mapping[str, Any]", state).get("messages")
    else:
        found = cast("object", state) if isinstance(state, list) else getattr(state, "messages", ())
    return [message for message in cast("Sequence[object]", found or ()) if isinstance(message, BaseMessage)]


def _passages(state: object) -> Sequence[Mapping[str, Any]]:
    found: Any = cast("Mapping[str, Any]", state).get("passages") if isinstance(state, Mapping) else None
    items = cast("list[object]", found) if isinstance(found, list) else []
    return [cast("Mapping[str, Any]", item) for item in items if isinstance(item, Mapping)]
