"""One agent's view of a toolbox: the tools it was given, and of those the ones that a state of its graph offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import ToolMessage

from bailiwick.gate import Call
from bailiwick.prompts import PromptInForce
from bailiwick.toolbox.registered import CallSite
from bailiwick.toolbox.toolbox import Toolbox

__all__ = ["AgentTools", "Offer"]

Offer = Callable[[Mapping[str, Any]], Iterable[str]]
"""From a state of the graph to the names of the tools that it offers."""


@dataclass(frozen=True, kw_only=True)
class AgentTools:
    """``offered`` names what this agent may call; empty: nothing. A call outside is denied by the gate as such."""

    toolbox: Toolbox
    agent: str
    offered: frozenset[str] | None
    told: str = ""
    """What the operator told the model. Empty: not known, or what ``prompt`` says."""
    prompt: PromptInForce | None = None
    """Where that may change while the agent runs; None: it is always ``told``."""
    offer: Offer | None = None
    """What of it a state offers; None: all of it, in every state."""

    @property
    def instructions(self) -> str:
        """What the operator told the model, as it stands now."""
        return self.told if self.prompt is None else self.prompt.version.text

    def offered_in(self, state: object) -> frozenset[str] | None:
        """The tools of ``state``, never more than the agent's own."""
        if self.offer is None:
            return self.offered
        chosen = frozenset(self.offer(state if isinstance(state, Mapping) else {}))  # pyright: ignore[reportUnknownArgumentType]
        return chosen if self.offered is None else chosen & self.offered

    def schemas(self, state: object = None) -> list[dict[str, Any]]:
        """OpenAI-shaped schemas of the tools that ``state`` offers, in the toolbox's order."""
        offered = self.offered_in(state)
        return self.toolbox.schemas(name for name in self.toolbox.definitions if name in (offered or ()))

    async def call(self, call: Call, site: CallSite) -> ToolMessage:
        return await self.toolbox.call(call, site)
