"""The fixtures that a project with Bailiwick finds in its pytest, tried in a pytest of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Suite:
    """A project's tests in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def run(self, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
        # Other packages here bring plugins of their own, which take a long time to load.
        plugins = ("-p", "bailiwick.pytest_plugin", "-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider")
        command = [sys.executable, "-m", "pytest", "-q", *plugins, *options]
        given = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env}
        return subprocess.run(command, cwd=self.folder, env=given, capture_output=True, text=True, check=False)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


def test_pytest_finds_it_by_itself() -> None:
    (found,) = entry_points(group="pytest11", name="bailiwick")
    assert found.value == "bailiwick.pytest_plugin"


def test_a_suite_that_uses_none_of_it_is_left_alone(suite: Suite) -> None:
    suite.write(
        "test_mine.py",
        "import sys\n\ndef test_x():\n    heavy = {'langchain_core', 'langgraph', 'bailiwick.testing'}\n"
        "    assert not heavy & set(sys.modules)\n",
    )
    done = suite.run()
    assert done.returncode == 0, done.stdout


def test_scripts_must_be_used_up(suite: Suite) -> None:
    suite.write(
        "test_mine.py",
        "def test_used(scripted_model):\n    assert scripted_model('a').invoke('x').text == 'a'\n\n"
        "def test_left(scripted_model):\n    scripted_model('a', 'b').invoke('x')\n",
    )
    done = suite.run()
    assert "1 of 2 scripted messages were asked for" in done.stdout
    assert re.search(r"2 passed.* 1 error", done.stdout)


def test_a_cassette_is_recorded_by_the_option_and_then_played(suite: Suite) -> None:
    suite.write(
        "test_mine.py",
        "from bailiwick.testing import ScriptedModel\n\n"
        "def test_it(cassette):\n    model = cassette(ScriptedModel('hello'))\n"
        "    assert model.invoke('Hi').text == 'hello'\n",
    )
    missing = suite.run()
    assert "there is no such cassette" in missing.stdout
    assert suite.run("--record-cassettes").returncode == 0
    assert (suite.folder / "cassettes/test_mine/test_it.yaml").exists()
    assert suite.run().returncode == 0


def test_real_models_are_forbidden_where_the_suite_says_so(suite: Suite) -> None:
    suite.write(
        "test_mine.py",
        "import httpx\nimport pytest\n\ndef reach():\n    httpx.get('http://192.0.2.1/', timeout=0.1)\n\n"
        "def test_stopped():\n    reach()\n\n"
        "@pytest.mark.allow_model_requests\ndef test_allowed():\n"
        "    with pytest.raises(httpx.TransportError):\n        reach()\n",
    )
    suite.write("pytest.ini", "[pytest]\nbailiwick_forbid_model_requests = true\n")
    done = suite.run()
    assert "ModelRequestForbidden" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


AGENT = 'from bailiwick import Agent\n\nagent = Agent(instructions="Weigh.", graph="loop", tools=("weigh",))\n'
TOOL = '''
def weigh(item: str) -> str:
    """Weigh an item."""
    return f"{item}: 3 kg"
'''
POLICY = """version: 1
tool: weigh
effect: read
output: {trust: trusted}
rules: [{id: any, decision: allow, agents: [any], args: {item: {type: string}}, reason: it only weighs}]
"""
TEST = """
from bailiwick.testing import AllToolsModel


async def test_it(bailiwick_project):
    async with bailiwick_project(ROOT, weigh=weigh) as project:
        assert not project.layout.root.samefile(ROOT)
        turn = await project.agent("clerk", model=AllToolsModel()).ask("Hi", thread="t")
        assert turn.text == "weigh: text: 3 kg"
"""


def test_a_project_is_opened_as_a_copy_with_its_tools_scripted(suite: Suite) -> None:
    project = suite.folder / "shop"
    graph = (ROOT / "graphs/answer_with_tools.py").read_text()
    for file, text in (
        ("agents/clerk.py", AGENT),
        ("graphs/loop.py", graph),
        ("tools/scale.py", f"from bailiwick import tool\n\n\n@tool{TOOL}"),
        ("policies/weigh.yaml", POLICY),
    ):
        (project / file).parent.mkdir(parents=True)
        (project / file).write_text(text)
    suite.write("test_mine.py", f"ROOT = {str(project)!r}\n{TOOL}{TEST}")
    done = suite.run()
    assert done.returncode == 0, done.stdout[-3000:]
    assert not (project / ".bailiwick").exists()
