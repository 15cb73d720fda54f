"""What agents/ and graphs/ declare, and the model that answers for an agent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langgraph.graph import StateGraph

from bailiwick.agent import Agent
from bailiwick.errors import ConfigError, ModelNotConfigured, UnknownAgent
from bailiwick.graph import Nodes
from bailiwick.models import configured_name, model_name, resolve_model
from bailiwick.project.layout import Layout
from bailiwick.project.load_file import load_file

__all__ = [
    "ChosenModel",
    "agent_names",
    "check_specialists",
    "choose_model",
    "load_agent",
    "load_graph",
    "purpose_of",
]

OFFLINE = "offline"
"""Among an agent's fallbacks, its offline rules."""

BuildGraph = Callable[[Nodes], StateGraph[Any, Any, Any, Any]]


@dataclass(frozen=True, kw_only=True)
class ChosenModel:
    """The model that answers. An empty ``notice`` says nothing: a real model is at work."""

    model: BaseChatModel
    name: str
    notice: str = ""
    fallbacks: tuple[BaseChatModel, ...] = ()
    """Those that stand in for it, in order. Empty: nobody."""


def agent_names(layout: Layout) -> list[str]:
    """The names of the files under agents/ that declare an agent, without importing any."""
    return sorted(file.stem for file in layout.agents.glob("*.py") if "Agent(" in file.read_text(errors="replace"))


def load_agent(layout: Layout, name: str) -> Agent:
    """The ``agent`` of agents/NAME.py. Raises UnknownAgent, and ConfigError for a file that is wrong."""
    file = layout.agents / f"{name}.py"
    if not name.isidentifier() or not file.is_file():
        have = ", ".join(agent_names(layout)) or "none"
        raise UnknownAgent(
            f"there is no agent {name!r} (there are: {have})", file=layout.agents, fix="use one of these names"
        )
    declared = getattr(load_file(file), "agent", None)
    if not isinstance(declared, Agent):
        raise ConfigError("it declares no agent", file=file, key="agent", fix="write agent = Agent(...)")
    return _with_instructions(layout, file, declared)


def _with_instructions(layout: Layout, file: Path, declared: Agent) -> Agent:
    """The same, its instructions read where they are a file of the project."""
    if isinstance(declared.instructions, str):
        return declared
    place = layout.root / declared.instructions
    try:
        if not place.resolve().is_relative_to(layout.root.resolve()):
            raise ConfigError(
                f"{declared.instructions} lies outside of the project",
                file=file,
                key="instructions",
                fix="keep the prompt in the project, as in Path('prompts/support.md')",
            )
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ConfigError(
            f"the prompt {declared.instructions} cannot be read: {said}",
            file=file,
            key="instructions",
            fix=f"write {declared.instructions}, from the project's root",
        ) from None
    return replace(declared, instructions=text, origin=declared.instructions.as_posix())


def load_graph(layout: Layout, agent: str, name: str) -> BuildGraph:
    """The ``build`` function of graphs/NAME.py. Raises ConfigError naming the agent that asks for it."""
    file = layout.graphs / f"{name}.py"
    if not name.isidentifier() or not file.is_file():
        have = ", ".join(sorted(found.stem for found in layout.graphs.glob("*.py"))) or "none"
        raise ConfigError(
            f"there is no graph {name!r} (there are: {have})",
            file=layout.agents / f"{agent}.py",
            key="graph",
            fix=f"write graphs/{name}.py, or name another",
        )
    build = getattr(load_file(file), "build", None)
    if not callable(build):
        raise ConfigError("it has no build function", file=file, key="build", fix="write def build(nodes): ...")
    return cast("BuildGraph", build)


def check_specialists(layout: Layout, agent: str, declared: Agent) -> None:
    """Raises ConfigError for a specialist that is no other agent of the project, or has specialists of its own."""
    file = layout.agents / f"{agent}.py"
    for name in declared.specialists:
        others = [each for each in agent_names(layout) if each != agent]
        if name not in others:
            raise ConfigError(
                f"there is no other agent {name!r} (there are: {', '.join(others) or 'none'})",
                file=file,
                key="specialists",
                fix=f"correct the name, or write agents/{name}.py",
            )
        if load_agent(layout, name).specialists:
            # One supervisor knows of all the requests of a turn; a chain of them would each count its own.
            raise ConfigError(
                f"the specialist {name!r} has specialists of its own",
                file=file,
                key="specialists",
                fix=f"name its specialists here beside it, or take them from agents/{name}.py",
            )


def purpose_of(declared: Agent) -> str:
    """What an agent is for, in a line."""
    return declared.purpose or next(iter(declared.text.strip().splitlines()), "")


def choose_model(layout: Layout, agent: str, declared: Agent) -> ChosenModel:
    """The agent's own model, else ``BAILIWICK_MODEL``, else its offline rules, which need nobody to stand in for them.

    Raises ModelNotConfigured for none, and for a fallback that cannot be set up: it would be missed when it is needed.
    """
    if name := declared.model or configured_name():
        fallbacks = tuple(_fallback(layout, agent, declared, each) for each in declared.fallbacks)
        return ChosenModel(model=resolve_model(name), name=name, fallbacks=fallbacks)
    if declared.offline is None:
        raise ModelNotConfigured(
            f"no model is configured for the agent {agent!r}, and it has no offline rules",
            fix="set BAILIWICK_MODEL to provider:model, such as openai:gpt-5, and the provider's key",
        )
    model = _rules(layout, declared.offline)
    return ChosenModel(model=model, name=model_name(model), notice=str(getattr(model, "notice", "")))


def _fallback(layout: Layout, agent: str, declared: Agent, name: str) -> BaseChatModel:
    if name != OFFLINE:
        return resolve_model(name)
    if declared.offline is None:
        raise ConfigError(
            f"the fallback {OFFLINE!r} stands for offline rules, and the agent has none",
            file=layout.agents / f"{agent}.py",
            key="fallbacks",
            fix='name the file that holds them, as in offline="offline", or name a model',
        )
    return _rules(layout, declared.offline)


def _rules(layout: Layout, name: str) -> BaseChatModel:
    file = layout.agents / f"{name}.py"
    model = getattr(load_file(file), "model", None)
    if not isinstance(model, BaseChatModel):
        raise ConfigError("it declares no model", file=file, key="model", fix="write model = FunctionModel(...)")
    return model
