"""The only way from a tool call to a sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from langchain.agents.middleware.types import AgentMiddleware
from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from bailiwick.database import Database, open_database
from bailiwick.definition import ToolDefinition
from bailiwick.gate import Call
from bailiwick.ledger import CallLedger, Questions, UsageLedger
from bailiwick.policy import LoadedPolicy
from bailiwick.resilience import run_sync
from bailiwick.sandbox import Sandbox, open_sandbox
from bailiwick.toolbox.given_up import given_up_calls, known_of
from bailiwick.toolbox.guarded_call import GuardedCall
from bailiwick.toolbox.in_code import registered_in_code
from bailiwick.toolbox.lookups import check_lookups
from bailiwick.toolbox.middleware import ToolboxMiddleware
from bailiwick.toolbox.node import tool_node
from bailiwick.toolbox.register import join, register_folder
from bailiwick.toolbox.registered import CallSite, RegisteredTool
from bailiwick.toolbox.reload import PolicyFiles
from bailiwick.toolbox.structured import structured_tool
from bailiwick.tracing import ErrorWatch

__all__ = ["Toolbox"]


class Toolbox:
    """Tools with their policies, bound to a sandbox.

    An empty toolbox offers nothing and answers every call with an unknown-tool error.
    """

    def __init__(
        self,
        tools: Iterable[RegisteredTool],
        *,
        sandbox: Sandbox,
        database: Database | None = None,
        watch: ErrorWatch | None = None,
        agent: str = "agent",
    ) -> None:
        self._tools = {tool.definition.name: tool for tool in tools}
        check_lookups(self._tools)
        kept = database or open_database(None)
        self._closing = kept if database is None else None
        self._guarded = GuardedCall(
            tools=self._tools,
            sandbox=sandbox,
            ledger=None if database is None else CallLedger(database),
            questions=Questions(kept),
            usage=UsageLedger(kept),
            watch=watch,
            policies=PolicyFiles(self._tools, join=self._joined, watch=watch, on_change=self._changed),
        )
        self._prepared = False
        self.agent = agent
        """Who calls, as policies name it, where the graph does not say."""
        self.offered: frozenset[str] | None = None
        self.instructions = ""

    @classmethod
    def open(
        cls,
        tools: Path | str,
        *,
        policies: Path | str,
        sandbox: Literal["auto", "docker", "bubblewrap"] | Sandbox = "auto",
        ledger: Path | str | None = None,
        agent: str = "agent",
    ) -> Toolbox:
        """Open a folder of tool files with its folder of policies, from synchronous code.

        ``ledger`` is the SQLite file, or ``postgresql://…``, that remembers which calls ran; without one a resumed
        graph may run a call again. Raises PolicyError for a policy that is wrong or missing, ToolDefinitionError for a
        tool file that does not load in its sandbox, SandboxUnavailable where there is no sandbox.
        """
        return run_sync(cls.aopen(tools, policies=policies, sandbox=sandbox, ledger=ledger, agent=agent))

    @classmethod
    async def aopen(
        cls,
        tools: Path | str,
        *,
        policies: Path | str,
        sandbox: Literal["auto", "docker", "bubblewrap"] | Sandbox = "auto",
        ledger: Database | Path | str | None = None,
        watch: ErrorWatch | None = None,
        cache: Path | None = None,
        agent: str = "agent",
        on_progress: Callable[[str], None] | None = None,
    ) -> Toolbox:
        """As ``open``, from asynchronous code. ``cache`` is a file that remembers what the tools' files declare.

        A ``ledger`` that is a database is left open by ``aclose``.
        """
        opened = await open_sandbox(sandbox, on_progress=on_progress) if isinstance(sandbox, str) else sandbox
        try:
            registered = await register_folder(Path(tools), Path(policies), sandbox=opened, cache=cache)
            return await asyncio.to_thread(_bound, cls, registered, opened, ledger, watch, agent)
        except BaseException:
            if opened is not sandbox:
                await opened.close()
            raise

    @classmethod
    def of(
        cls,
        *tools: BaseTool,
        sandbox: Literal["auto", "docker", "bubblewrap"] | Sandbox = "auto",
        ledger: Path | str | None = None,
        agent: str = "agent",
    ) -> Toolbox:
        """A toolbox of tools that were declared in code with ``@tool(policy=...)``, from synchronous code.

        Raises ToolDefinitionError for a plain LangChain tool, PolicyError for a policy that does not fit its tool,
        SandboxUnavailable where there is no sandbox. No tools: a toolbox that offers nothing.
        """
        opened = run_sync(open_sandbox(sandbox)) if isinstance(sandbox, str) else sandbox
        try:
            registered = registered_in_code(tools, opened)
        except BaseException:
            if opened is not sandbox:
                run_sync(opened.close())
            raise
        return _bound(cls, registered, opened, ledger, None, agent)

    @property
    def sandbox(self) -> Sandbox:
        """What the tools run in."""
        return self._guarded.sandbox

    def prepare(self) -> None:
        """Let containers wait for every tool before its first call, as a program does that serves for long."""
        self._prepared = True
        for tool in list(self._tools.values()):
            self._changed(tool)

    def _joined(self, tool: RegisteredTool, loaded: LoadedPolicy) -> RegisteredTool:
        return join(tool.definition, loaded, project=tool.project, sandbox=self.sandbox)

    def _changed(self, tool: RegisteredTool) -> None:
        if self._prepared:
            self.sandbox.prepare(tool.spec, tool.inside)

    @property
    def definitions(self) -> Mapping[str, ToolDefinition]:
        """What is known of every tool, by name."""
        return {name: tool.definition for name, tool in self._tools.items()}

    @property
    def registered(self) -> Mapping[str, RegisteredTool]:
        """Every tool with its policy and container spec, by name."""
        return self._tools

    @property
    def tools(self) -> list[BaseTool]:
        """LangChain tools for ``create_agent``, ``bind_tools`` and ``ToolNode``; each takes the guarded way."""
        return [structured_tool(self, tool.definition) for tool in self._tools.values()]

    def schemas(self, names: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """OpenAI-shaped schemas of the named tools (None: all), for ``bind_tools``."""
        wanted = self._tools if names is None else list(names)
        return [
            {
                "type": "function",
                "function": {
                    "name": name,
                    "description": self._tools[name].definition.description,
                    "parameters": dict(self._tools[name].definition.parameters),
                },
            }
            for name in wanted
        ]

    async def call(self, call: Call, site: CallSite) -> ToolMessage:
        """Take one call through gate, ledger and sandbox. Never raises for what the tool or the model does."""
        return await self._guarded.run(call, site)

    async def given_up(self, messages: Sequence[BaseMessage], *, thread: str, agent: str) -> list[ToolMessage]:
        """Messages for the calls that the turn before left without any. Empty: it left none."""
        return [
            await known_of(
                Call(id=call["id"] or "", tool=call["name"], agent=agent, args=call["args"]),
                ledger=self._guarded.ledger,
                thread=thread,
                messages=messages,
            )
            for call in given_up_calls(messages)
        ]

    def offered_in(self, state: object) -> frozenset[str] | None:
        """All tools there are, in every state of a graph."""
        return self.offered

    def node(self) -> Runnable[Any, Any]:
        """A graph node in place of ``ToolNode(tools)``; route to it with ``tools_condition``."""
        return tool_node(self)

    def middleware(self) -> AgentMiddleware[Any, Any]:
        """Middleware for ``create_agent``: every tool call, known or not, takes the guarded way."""
        return ToolboxMiddleware(self)

    async def aclose(self) -> None:
        """Leave nothing behind. Safe to call twice."""
        await self.sandbox.close()
        if self._closing is not None:
            self._closing.close()

    def close(self) -> None:
        """As ``aclose``, from synchronous code."""
        run_sync(self.aclose())


def _bound(
    cls: type[Toolbox],
    registered: Iterable[RegisteredTool],
    sandbox: Sandbox,
    ledger: Database | Path | str | None,
    watch: ErrorWatch | None,
    agent: str,
) -> Toolbox:
    opened = open_database(ledger) if isinstance(ledger, (Path, str)) else ledger
    try:
        toolbox = cls(registered, sandbox=sandbox, database=opened, watch=watch, agent=agent)
    except BaseException:
        if opened is not None and opened is not ledger:
            opened.close()
        raise
    if opened is not ledger:
        toolbox._closing = opened  # pyright: ignore[reportPrivateUsage]  opened here, so closed here
    return toolbox
