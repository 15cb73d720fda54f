"""One agent's view of a toolbox: the tools it was given, and no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain_core.messages import ToolMessage

from bailiwick.gate import Call
from bailiwick.toolbox.guarded_call import CallSite
from bailiwick.toolbox.toolbox import Toolbox

__all__ = ["AgentTools"]


@dataclass(frozen=True, kw_only=True)
class AgentTools:
    """``offered`` names what this agent may call; empty: nothing. A call outside is denied by the gate as such."""

    toolbox: Toolbox
    agent: str
    offered: frozenset[str] | None

    def schemas(self) -> list[dict[str, Any]]:
        """OpenAI-shaped schemas of the offered tools, in the toolbox's order."""
        return self.toolbox.schemas(name for name in self.toolbox.definitions if name in (self.offered or ()))

    async def call(self, call: Call, site: CallSite) -> ToolMessage:
        return await self.toolbox.call(call, site)
