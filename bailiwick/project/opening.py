"""A project opened: one sandbox, toolbox, ledger, index and checkpointer, and the agents bound to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from bailiwick.agent import Agent, LiveAgent
from bailiwick.database import Database, database_setting, open_database
from bailiwick.errors import ConfigError
from bailiwick.graph import Nodes
from bailiwick.models import ModelGuards
from bailiwick.project.checkpoints import open_checkpoints
from bailiwick.project.declarations import (
    ChosenModel,
    agent_names,
    check_specialists,
    choose_model,
    load_agent,
    load_graph,
    purpose_of,
)
from bailiwick.project.layout import Layout
from bailiwick.prompts import PromptInForce, PromptStore
from bailiwick.retrieval import Knowledge
from bailiwick.sandbox import Sandbox
from bailiwick.toolbox import AgentTools, Toolbox
from bailiwick.tracing import ErrorWatch, Tracing, configure, phoenix_endpoint

__all__ = ["Project"]

SandboxChoice = Literal["auto", "docker", "bubblewrap"] | Sandbox


@dataclass(frozen=True, kw_only=True)
class Project:
    """The parts that every agent of a project shares. Made by ``Project.open`` only, which also takes them down."""

    layout: Layout
    database: Database
    """Where checkpoints, ledger and prompts are kept."""
    toolbox: Toolbox
    knowledge: Knowledge
    checkpointer: BaseCheckpointSaver[Any]
    tracing: Tracing
    watch: ErrorWatch
    prompts: PromptStore
    """Every version of the agents' instructions, in the database."""
    guards: ModelGuards = field(default_factory=ModelGuards)
    """What the requests of all agents to one model share."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        root: Path | str,
        *,
        sandbox: SandboxChoice = "auto",
        phoenix: str | None = "auto",
        database: str | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> AsyncGenerator[Project]:
        """Open the project at ``root`` for as long as the context lasts.

        ``phoenix`` is where traces go: an address, ``"auto"`` for ``PHOENIX_COLLECTOR_ENDPOINT`` or this machine's
        port 6006, None for nowhere. Phoenix need not be there: spans and error paths wait in the project until it is.
        ``database`` is ``postgresql://…`` for checkpoints, ledger and what belongs to them; None: what
        ``BAILIWICK_DATABASE`` names, else SQLite in the project.
        Raises what is wrong with the project's files (ConfigError and its kind) and SandboxUnavailable; nothing is
        left running then.
        """
        async with AsyncExitStack() as stack:
            # In a thread, and closed in one: a server's event loop must not wait for a disk.
            files = ExitStack()
            stack.push_async_callback(asyncio.to_thread, files.close)
            layout, watch, tracing, knowledge, kept = await asyncio.to_thread(
                _open_files, Path(root), phoenix, database or database_setting(), files
            )
            toolbox = await Toolbox.aopen(
                layout.tools,
                policies=layout.policies,
                sandbox=sandbox,
                ledger=kept,
                watch=watch,
                cache=layout.described,
                on_progress=on_progress,
            )
            stack.push_async_callback(toolbox.aclose)
            saver = await stack.enter_async_context(open_checkpoints(kept))
            await knowledge.ready()
            yield cls(
                layout=layout,
                database=kept,
                toolbox=toolbox,
                knowledge=knowledge,
                checkpointer=saver,
                tracing=tracing,
                watch=watch,
                prompts=await asyncio.to_thread(PromptStore, kept),
            )

    @property
    def agents(self) -> list[str]:
        """The names of the project's agents."""
        return agent_names(self.layout)

    def agent(
        self, name: str, *, model: BaseChatModel | None = None, fallbacks: Sequence[BaseChatModel] = ()
    ) -> LiveAgent:
        """The agent of that name, ready for turns. ``model`` and ``fallbacks`` replace the configured ones (tests).

        Raises UnknownAgent, ConfigError for what its files have wrong, ModelNotConfigured.
        """
        declared, chosen = self._declared(name, model)
        chosen = chosen if model is None else replace(chosen, fallbacks=tuple(fallbacks))
        return LiveAgent(
            name=name,
            declared=declared,
            graph=self._compile(name, declared, chosen, self.checkpointer, model),
            model=chosen.name,
            notice=chosen.notice,
            watch=self.watch,
            database=self.database,
        )

    def graph(self, name: str) -> CompiledStateGraph[Any, Any, Any, Any]:
        """The agent's graph without a checkpointer, for servers that bring their own."""
        declared, chosen = self._declared(name, None)
        return self._compile(name, declared, chosen, None)

    def _declared(self, name: str, model: BaseChatModel | None) -> tuple[Agent, ChosenModel]:
        declared = load_agent(self.layout, name)
        have = self.toolbox.definitions
        if missing := [tool for tool in declared.tools if tool not in have]:
            raise ConfigError(
                f"there is no tool {missing[0]!r} (there are: {', '.join(sorted(have)) or 'none'})",
                file=self.layout.agents / f"{name}.py",
                key="tools",
                fix="correct the name, or write the tool and its policy",
            )
        if model is not None:
            return declared, ChosenModel(model=model, name=str(getattr(model, "model_name", type(model).__name__)))
        return declared, choose_model(self.layout, name, declared)

    def _compile(
        self,
        name: str,
        declared: Agent,
        chosen: ChosenModel,
        checkpointer: BaseCheckpointSaver[Any] | None,
        model: BaseChatModel | None = None,
    ) -> CompiledStateGraph[Any, Any, Any, Any]:
        nodes = self._nodes(name, declared, chosen)
        if declared.specialists:
            nodes = replace(nodes, specialists=self._specialists(name, declared, model))
        graph = load_graph(self.layout, name, declared.graph)(nodes)
        return graph.compile(checkpointer=checkpointer, name=name)  # pyright: ignore[reportUnknownMemberType]  **kwargs

    def _nodes(self, name: str, declared: Agent, chosen: ChosenModel) -> Nodes:
        version = self.prompts.declare(name, declared.text, origin=declared.origin or f"agents/{name}.py")
        prompt = PromptInForce(self.prompts, version)
        return Nodes(
            agent=name,
            model=chosen.model,
            fallbacks=chosen.fallbacks,
            limits=declared.limits,
            guards=self.guards,
            instructions=declared.text,
            prompt=prompt,
            tools=AgentTools(
                toolbox=self.toolbox,
                agent=name,
                offered=frozenset(declared.tools),
                prompt=prompt,
            ),
            knowledge=self.knowledge if declared.knowledge else None,
            max_steps=declared.max_steps,
            purpose=purpose_of(declared),
        )

    def _specialists(self, name: str, declared: Agent, model: BaseChatModel | None) -> dict[str, Nodes]:
        check_specialists(self.layout, name, declared)
        return {each: self._nodes(each, *self._declared(each, model)) for each in declared.specialists}


def _open_files(
    root: Path, phoenix: str | None, database: str | None, stack: ExitStack
) -> tuple[Layout, ErrorWatch, Tracing, Knowledge, Database]:
    layout = Layout(root=root.resolve())
    layout.kept.mkdir(parents=True, exist_ok=True)
    endpoint = phoenix_endpoint() if phoenix == "auto" else phoenix
    watch = stack.enter_context(ErrorWatch.open(layout.errors, endpoint=endpoint))
    tracing = stack.enter_context(configure(endpoint=endpoint, project=layout.name, spool=layout.spool))
    # Its model and index load in a thread of their own while the sandbox opens.
    knowledge = stack.enter_context(Knowledge.open(layout.index))
    kept = stack.enter_context(closing(open_database(database or layout.state)))
    return layout, watch, tracing, knowledge, kept
