"""What users may import, and what it costs them."""

from __future__ import annotations

import subprocess
import sys

import bailiwick


def test_the_public_names_are_these() -> None:
    assert sorted(bailiwick.__all__) == [
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
    for name in bailiwick.__all__:
        assert getattr(bailiwick, name) is not None


def test_tool_is_the_decorator_whatever_was_imported_before() -> None:
    code = "import bailiwick.project, bailiwick.toolbox; from bailiwick import tool; assert callable(tool), tool"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, bailiwick; heavy = {'langchain', 'langchain_core', 'langgraph', 'chromadb', 'docker', 'phoenix',"
        " 'pydantic', 'opentelemetry'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
