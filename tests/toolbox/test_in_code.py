"""``@tool(policy=...)``: a tool and its policy in the user's own module, guarded wherever it is put."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool as langchain_tool

from bailiwick import Policy, Rule, Toolbox, tool
from bailiwick.errors import PolicyError, ToolDefinitionError
from bailiwick.policy import ArgRule, InlineTest
from bailiwick.testing import ScriptedModel, ScriptedSandbox
from bailiwick.toolbox import record_of


def load(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"{file.stem}_under_test", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def declared() -> Any:
    return load(Path(__file__).with_name("declared_tools.py"))


def count(text: str) -> int:
    """Count."""
    return len(text)


async def test_it_is_a_langchain_tool_and_the_toolbox_takes_it(declared: Any, asks: Any) -> None:
    sandbox = ScriptedSandbox({"count_letters": count})
    toolbox = Toolbox.of(declared.count_letters, declared.nobody_may, sandbox=sandbox)
    assert declared.count_letters.description == "Count the letters of a text."
    assert toolbox.registered["count_letters"].inside == "/tool/declared_tools.py"
    model = ScriptedModel(
        asks(("count_letters", {"text": "abc"}), ("count_letters", {"text": "x" * 21}), ("nobody_may", {"text": "x"})),
        "done",
    )
    agent = create_agent(model, toolbox.tools, middleware=[toolbox.middleware()])
    state = await agent.ainvoke({"messages": [HumanMessage("count")]})
    records = [record_of(message) for message in state["messages"] if message.type == "tool"]
    assert [(record.decision, record.outcome) for record in records if record] == [
        ("allow", "ok"),
        ("deny", "denied"),
        ("deny", "denied"),
    ]
    assert records[1] is not None
    assert records[1].where.endswith("declared_tools.py")
    toolbox.close()
    assert sandbox.closed


def test_a_toolbox_of_nothing_offers_nothing() -> None:
    toolbox = Toolbox.of(sandbox=ScriptedSandbox())
    assert toolbox.tools == []
    assert toolbox.schemas() == []
    toolbox.close()


def test_a_plain_langchain_tool_is_refused() -> None:
    @langchain_tool
    def anything(text: str) -> str:
        """Runs right here."""
        return text

    with pytest.raises(ToolDefinitionError, match="has no policy and would run here"):
        Toolbox.of(anything, sandbox=ScriptedSandbox())


def test_a_policy_that_fails_its_own_tests_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(
        "from bailiwick import Policy, tool\n"
        "from bailiwick.policy import InlineTest\n"
        "@tool(policy=Policy(tests=(InlineTest(agent='a', args={'text': 'x'}, expect='allow'),)))\n"
        "def echo(text: str) -> str:\n    '''Say it again.'''\n    return text\n"
    )
    with pytest.raises(PolicyError, match=r"wrong\.py: tests\.0\.expect: expected allow, got deny"):
        Toolbox.of(load(file).echo, sandbox=ScriptedSandbox())


def test_a_policy_that_names_another_argument_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "wrong_argument.py"
    file.write_text(
        "from bailiwick import Policy, Rule, tool\n"
        "from bailiwick.policy import ArgRule\n"
        "rule = Rule(id='r', decision='allow', agents=('any',), args={'txt': ArgRule()}, reason='r')\n"
        "@tool(policy=Policy(rules=(rule,)))\n"
        "def echo(text: str) -> str:\n    '''Say it again.'''\n    return text\n"
    )
    with pytest.raises(PolicyError, match=r"echo has no argument 'txt' .it has: text.[\s\S]*did you mean text"):
        Toolbox.of(load(file).echo, sandbox=ScriptedSandbox())


def test_a_function_inside_another_could_not_be_imported_by_a_container() -> None:
    with pytest.raises(ToolDefinitionError, match="not a function at the top of a file"):

        @tool(policy=Policy())
        def inner(text: str) -> str:
            """Inside."""
            return text


def test_a_declared_tool_without_a_policy_is_an_error_and_plain_tool_marks_only() -> None:
    with pytest.raises(PolicyError, match="needs a policy"):
        tool(policy=None)  # type: ignore[call-overload]
    assert tool(count) is count


def test_the_policy_in_code_is_the_same_model() -> None:
    rule = Rule(id="r", decision="allow", agents=("any",), args={"a": ArgRule()}, reason="r")
    assert Policy(rules=(rule,)).digest != Policy().digest
    assert Policy(tests=(InlineTest(agent="a", expect="deny"),)).digest == Policy().digest


@pytest.mark.bubblewrap
def test_without_a_toolbox_it_still_runs_in_a_sandbox_only(declared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAILIWICK_SANDBOX", "bubblewrap")
    message = declared.count_letters.invoke(
        {"type": "tool_call", "name": "count_letters", "id": "c", "args": {"text": "abc"}}
    )
    record = record_of(message)
    assert record is not None
    assert (record.sandbox, record.outcome) == ("bubblewrap", "ok")
    assert message.text.startswith('<untrusted-data source="count_letters">\n3\n')
