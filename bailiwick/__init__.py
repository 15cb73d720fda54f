"""LLM agents whose every tool call runs under a least-privilege policy in a sandbox, traced to Phoenix.

The names below are the public door. They are loaded when first asked for, since LangChain alone takes seconds to
import and a program that only wants ``bailiwick.Policy`` should not wait for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bailiwick.agent import Agent, LiveAgent, Turn
    from bailiwick.errors import BailiwickError
    from bailiwick.gate import Allow, Ask, Deny
    from bailiwick.graph import (
        CorrectiveState,
        Delegating,
        Grading,
        HandingOver,
        HandoverState,
        Nodes,
        Planning,
        PlanState,
        State,
    )
    from bailiwick.models import FunctionModel, ModelLimits
    from bailiwick.policy import (
        Approval,
        ArgRule,
        Endpoint,
        Files,
        InlineTest,
        Limits,
        Network,
        Output,
        Policy,
        Preceding,
        Rule,
        SandboxPolicy,
    )
    from bailiwick.project import Project, served_graph
    from bailiwick.toolbox import Session, Toolbox, idempotency_key, output, secret, tool, tools_condition
    from bailiwick.tracing import span

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "Allow",
    "Approval",
    "ArgRule",
    "Ask",
    "BailiwickError",
    "CorrectiveState",
    "Delegating",
    "Deny",
    "Endpoint",
    "Files",
    "FunctionModel",
    "Grading",
    "HandingOver",
    "HandoverState",
    "InlineTest",
    "Limits",
    "LiveAgent",
    "ModelLimits",
    "Network",
    "Nodes",
    "Output",
    "PlanState",
    "Planning",
    "Policy",
    "Preceding",
    "Project",
    "Rule",
    "SandboxPolicy",
    "Session",
    "State",
    "Toolbox",
    "Turn",
    "idempotency_key",
    "output",
    "secret",
    "served_graph",
    "span",
    "tool",
    "tools_condition",
]

_ROOMS = {
    "Agent": "agent",
    "Allow": "gate",
    "Approval": "policy",
    "ArgRule": "policy",
    "Ask": "gate",
    "BailiwickError": "errors",
    "CorrectiveState": "graph",
    "Delegating": "graph",
    "Deny": "gate",
    "Endpoint": "policy",
    "Files": "policy",
    "FunctionModel": "models",
    "Grading": "graph",
    "HandingOver": "graph",
    "HandoverState": "graph",
    "InlineTest": "policy",
    "Limits": "policy",
    "LiveAgent": "agent",
    "Network": "policy",
    "ModelLimits": "models",
    "Nodes": "graph",
    "Output": "policy",
    "PlanState": "graph",
    "Planning": "graph",
    "Policy": "policy",
    "Preceding": "policy",
    "Project": "project",
    "Rule": "policy",
    "SandboxPolicy": "policy",
    "Session": "toolbox",
    "State": "graph",
    "Toolbox": "toolbox",
    "Turn": "agent",
    "idempotency_key": "toolbox",
    "output": "toolbox",
    "secret": "toolbox",
    "served_graph": "project",
    "span": "tracing",
    "tool": "toolbox",
    "tools_condition": "toolbox",
}


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'bailiwick' has no attribute {name!r}")
    value = getattr(import_module(f"bailiwick.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
