"""``@tool(policy=...)``: a tool and its policy declared in the user's own module.

It is the same thing as a file under tools/ with a file under policies/: the module's file is mounted in a container
and the body runs there, never here. What the file imports at its top must therefore be there too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, overload

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from pydantic import PrivateAttr

from bailiwick.database import open_database
from bailiwick.definition import ToolDefinition, describe_function, file_digest
from bailiwick.errors import PolicyError, ToolDefinitionError
from bailiwick.gate import Call
from bailiwick.ledger import Questions, UsageLedger
from bailiwick.policy import LoadedPolicy, Policy
from bailiwick.sandbox import Sandbox, open_sandbox
from bailiwick.toolbox.guarded_call import GuardedCall
from bailiwick.toolbox.register import join
from bailiwick.toolbox.registered import CallSite, RegisteredTool
from bailiwick.toolbox.structured import GuardedTool, guarded_functions

__all__ = ["DeclaredTool", "registered_in_code", "tool"]

F = TypeVar("F", bound=Callable[..., Any])


class DeclaredTool(GuardedTool):
    """A LangChain tool that remembers its definition and policy, so that a Toolbox can take it in."""

    _definition: ToolDefinition = PrivateAttr()
    _loaded: LoadedPolicy = PrivateAttr()

    def registered(self, sandbox: Sandbox) -> RegisteredTool:
        """Bind it to ``sandbox``; paths in its policy are relative to its module's folder."""
        return join(self._definition, self._loaded, project=self._definition.file.parent, sandbox=sandbox)


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(*, policy: Policy) -> Callable[[Callable[..., Any]], DeclaredTool]: ...
def tool(function: Callable[..., Any] | None = None, /, *, policy: Policy | None = None) -> Any:
    """Declare a tool.

    In a file under tools/, plain ``@tool``: on the host it changes nothing, since only a container runs that file.
    In your own module, ``@tool(policy=Policy(...))``: a LangChain tool for ``create_agent``, ``ToolNode`` and
    ``Toolbox.of``. Raises ToolDefinitionError for a function that no container could import.
    """
    if function is not None:
        return function
    if policy is None:
        raise PolicyError("a tool declared in code needs a policy", fix="write @tool(policy=Policy(rules=...))")

    def declare(body: Callable[..., Any]) -> DeclaredTool:
        return _declare(body, policy)

    return declare


def registered_in_code(tools: Iterable[BaseTool], sandbox: Sandbox) -> list[RegisteredTool]:
    """Bind declared tools to ``sandbox``. Raises ToolDefinitionError for a tool that carries no policy."""
    bound: list[RegisteredTool] = []
    for each in tools:
        if not isinstance(each, DeclaredTool):
            raise ToolDefinitionError(
                f"{each.name!r} is a plain LangChain tool: it has no policy and would run here, outside any sandbox",
                fix="declare it with bailiwick's @tool(policy=Policy(...))",
            )
        bound.append(each.registered(sandbox))
    return bound


class _OwnDoor:
    """Takes the calls of one declared tool that is in no toolbox; opens a sandbox at the first call."""

    agent = "agent"
    offered = None
    instructions = ""
    _shared: Sandbox | None = None
    _lock = Lock()

    def __init__(self) -> None:
        self.declared: DeclaredTool | None = None
        self._guarded: GuardedCall | None = None

    def offered_in(self, state: object) -> None:
        return None

    async def call(self, call: Call, site: CallSite) -> ToolMessage:
        assert self.declared is not None
        if self._guarded is None:
            sandbox = await self._sandbox()
            tools = {self.declared.name: self.declared.registered(sandbox)}
            kept = open_database(None)
            self._guarded = GuardedCall(
                tools=tools,
                sandbox=sandbox,
                ledger=None,
                questions=Questions(kept),
                usage=UsageLedger(kept),
                watch=None,
            )
        return await self._guarded.run(call, site)

    @classmethod
    async def _sandbox(cls) -> Sandbox:
        if cls._shared is None:
            opened = await open_sandbox("auto")
            with cls._lock:
                cls._shared = cls._shared or opened
        return cls._shared


def _declare(body: Callable[..., Any], policy: Policy) -> DeclaredTool:
    file = Path(inspect.getsourcefile(body) or "")
    if not file.is_file() or body.__qualname__ != body.__name__:
        raise ToolDefinitionError(
            f"the tool {body.__qualname__!r} is not a function at the top of a file, so no container could import it",
            file=file if file.is_file() else None,
            fix="move it to the top level of a module",
        )
    described = describe_function(body)
    loaded = LoadedPolicy(policy=policy.model_copy(update={"tool": body.__name__}), file=file)
    definition = ToolDefinition(**described, file=file.resolve(), digest=file_digest(file))
    door = _OwnDoor()
    call, call_sync = guarded_functions(door, definition)
    declared = DeclaredTool(
        name=definition.name,
        description=definition.description,
        args_schema=dict(definition.parameters),
        func=call_sync,
        coroutine=call,
    )
    declared._definition, declared._loaded = definition, loaded  # pyright: ignore[reportPrivateUsage]  its own maker
    door.declared = declared
    return declared
