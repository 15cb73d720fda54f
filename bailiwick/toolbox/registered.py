"""A tool as the toolbox holds it, and where a call of it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage

from bailiwick.definition import ToolDefinition
from bailiwick.policy import LoadedPolicy
from bailiwick.sandbox import Spec
from bailiwick.toolbox.asking import AskPerson

__all__ = ["CallSite", "RegisteredTool"]


@dataclass(frozen=True, kw_only=True)
class RegisteredTool:
    """A tool with its policy and the container it compiles to."""

    definition: ToolDefinition
    policy: LoadedPolicy
    spec: Spec
    project: Path
    """What the paths in its policy are relative to."""
    inside: str
    """The tool's file as seen in the container."""
    outputs: Path | None = None
    """Where files go that a call leaves to be kept. None: nowhere, and none are taken."""


@dataclass(frozen=True, kw_only=True)
class CallSite:
    """Where a call comes from. Empty ``session``: nobody speaks. ``offered`` None: the graph does not say."""

    agent: str
    thread: str
    node: str = "act"
    messages: Sequence[BaseMessage] = ()
    session: Mapping[str, Any]
    offered: frozenset[str] | None = None
    instructions: str = ""
    """What the operator told the model. Empty: not known."""
    passages: Sequence[Mapping[str, Any]] = ()
    """What was retrieved for this turn. Empty: nothing."""
    ask: AskPerson | None = None
    """None where no person can be asked: a question is then a denial."""
    resumable: bool = False
    """Whether ``thread`` is kept, so that the ledger knows it and ``ask`` waits for a resume."""
    at_the_end: bool = False
    """Whether it is written down only when the run ends (``durability="exit"``), so that a crash forgets its calls."""
