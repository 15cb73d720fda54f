"""What a team writes in agents/: who answers, with which model, instructions, graph and tools, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bailiwick.models import ModelLimits

__all__ = ["Agent"]


@dataclass(frozen=True, kw_only=True)
class Agent:
    """An agent as declared. Its name is that of its file.

    Empty ``tools``: it may call none. ``model`` None: what ``BAILIWICK_MODEL`` names, else the rules in
    ``agents/{offline}.py``, else no answer at all.
    """

    instructions: str | Path
    """What the model is told to be: a text, or a file of the project such as ``Path("prompts/support.md")``."""
    graph: str
    """The file under graphs/ whose ``build(nodes)`` gives the state machine."""
    tools: tuple[str, ...] = ()
    specialists: tuple[str, ...] = ()
    """Other agents of the project that its graph may hand work to. They keep their own tools; empty: none."""
    purpose: str = ""
    """What it is for, in a line told to agents that may hand work to it. Empty: the first line of its instructions."""
    model: str | None = None
    fallbacks: tuple[str, ...] = ()
    """Models asked in order when that one gives no answer; ``"offline"`` stands for the rules. Empty: nobody else."""
    limits: ModelLimits = field(default_factory=ModelLimits)
    """Of each model; what agents with the same model declare is taken together, the tightest of each."""
    offline: str | None = None
    """The file under agents/ whose ``model`` answers where no model is configured."""
    knowledge: bool = True
    """Whether the graph's ``retrieve`` searches the project's knowledge."""
    max_steps: int = 8
    deadline: float = 60.0
    """Seconds a turn may take, waiting for people not counted."""
    max_question: int = 20_000
    """Characters of a question."""
    origin: str = ""
    """The file that the instructions were read from, from the project's root. Empty: the agent's own."""

    @property
    def text(self) -> str:
        """The instructions of an agent that a project has loaded; a file's were then read."""
        return self.instructions if isinstance(self.instructions, str) else ""
