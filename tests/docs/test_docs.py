"""What README and docs show is what works."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from bailiwick import Agent, Toolbox
from bailiwick.gate import check_tests
from bailiwick.policy import load_policy

ROOT = Path(__file__).resolve().parents[2]


def blocks(file: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / file).read_text(), re.S)


def test_the_readmes_policy_loads_and_its_tests_pass(tmp_path: Path) -> None:
    (shown,) = [block for block in blocks("README.md", "yaml") if "tool: find_orders" in block]
    file = tmp_path / "find_orders.yaml"
    file.write_text(shown)
    check_tests(load_policy(file))


def test_the_rule_in_the_docs_is_the_desks() -> None:
    (shown,) = [block for block in blocks("docs/policies.md", "yaml") if "id: large" in block]
    assert shown.rstrip() in (ROOT / "policies/refund_order.yaml").read_text()


def test_a_tool_in_code_runs_in_a_sandbox(tmp_path: Path, sandbox_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (shown,) = [block for block in blocks("docs/tools.md", "python") if "@tool(policy=" in block]
    file = tmp_path / "shown_in_code.py"
    file.write_text(shown)
    tmp_path.chmod(0o755)
    spec = importlib.util.spec_from_file_location("shown_in_code", file)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "shown_in_code", module)
    spec.loader.exec_module(module)
    toolbox = Toolbox.of(module.add_nothing, sandbox=sandbox_kind)
    try:
        (tool,) = toolbox.tools
        message = tool.invoke({"name": "add_nothing", "args": {}, "id": "1", "type": "tool_call"})
    finally:
        toolbox.close()
    assert "\n0\n" in message.content  # fenced as data: nothing in the policy says that its output is trusted
    assert message.artifact["bailiwick"]["sandbox"] == sandbox_kind


def test_every_command_in_the_readme_is_there() -> None:
    from bailiwick.cli import app

    there = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    there |= {group.name for group in app.registered_groups if group.name}
    shown = re.findall(r"^\| `bailiwick (\w+)", (ROOT / "README.md").read_text(), re.M)
    assert set(shown) <= there
    assert {group.name for group in app.registered_groups} <= set(shown)


def test_the_examples_of_testing_without_a_model_run() -> None:
    for shown in blocks("docs/testing.md", "python"):
        exec(compile(shown, "docs/testing.md", "exec"), {"__name__": "shown"})


@pytest.mark.parametrize("page", ["docs/models.md", "docs/prompts.md"])
def test_the_agents_in_the_docs_are_agents(page: str) -> None:
    for shown in blocks(page, "python"):
        given: dict[str, Any] = {}
        exec(compile(shown, page, "exec"), given)
        assert isinstance(given["agent"], Agent)


def test_every_ready_graph_is_in_the_docs() -> None:
    text = (ROOT / "docs/graphs.md").read_text()
    ready = {file.name for file in (ROOT / "graphs").glob("*.py")} - {"support.py"}
    assert ready == set(re.findall(r"`(\w+\.py)`", text))
