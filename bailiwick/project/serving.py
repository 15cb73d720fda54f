"""An agent as langgraph.json names it, for servers that speak LangGraph's API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from bailiwick.project.opening import Project

__all__ = ["served_graph"]

Graph = CompiledStateGraph[Any, Any, Any, Any]

_graphs: dict[tuple[Path, int], Graph] = {}
_opening = asyncio.Lock()
_kept_open = AsyncExitStack()


def served_graph(agent_file: str) -> Callable[[RunnableConfig], AbstractAsyncContextManager[Graph]]:
    """A graph factory for the agent in ``agent_file`` (its ``__file__``).

    The server calls the factory for every run, so the project behind it is opened at the first one and kept for the
    life of the process: its containers end with it, since they listen to it.
    """
    file = Path(agent_file).resolve()

    @asynccontextmanager
    async def graph(config: RunnableConfig) -> AsyncGenerator[Graph]:
        key = (file, id(asyncio.get_running_loop()))
        async with _opening:
            if key not in _graphs:
                project = await _kept_open.enter_async_context(Project.open(file.parent.parent))
                project.toolbox.prepare()
                _graphs[key] = await asyncio.to_thread(project.graph, file.stem)
        yield _graphs[key]

    return graph
