"""``bailiwick graph``: the picture of what an agent's graph really is, with nothing but its files."""

from __future__ import annotations

import shutil
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bailiwick.cli import app

ROOT = Path(__file__).resolve().parents[2]
AGENT = 'from bailiwick import Agent\n\nagent = Agent(instructions="x", graph={graph!r}, tools=("gone",), {more})\n'
READY = sorted(file.stem for file in (ROOT / "graphs").glob("*.py"))
ODD = """
from langgraph.graph import END, START, StateGraph
from bailiwick import State

def build(nodes):
    inner = StateGraph(State)
    inner.add_node('a<b>&"c" (d) [e]', lambda state: {})
    inner.add_node("end", lambda state: {})
    inner.add_edge(START, 'a<b>&"c" (d) [e]')
    inner.add_conditional_edges('a<b>&"c" (d) [e]', lambda state: "x", {"<script>alert(1)</script>": "end"})
    inner.add_edge("end", END)
    graph = StateGraph(State)
    graph.add_node("Überblick", inner.compile())
    graph.add_edge(START, "Überblick")
    graph.add_edge("Überblick", END)
    return graph
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Agents and graphs alone: no tools, no policies for them, no model, no sandbox."""
    shutil.copytree(ROOT / "graphs", tmp_path / "graphs", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "policies").mkdir()
    (tmp_path / "agents").mkdir()
    for name in READY:
        text = AGENT.format(graph=name, more='specialists=("support", "handover")' if name == "supervisor" else "")
        (tmp_path / f"agents/{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draw(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["graph", *arguments])
    assert done.exit_code == code, f"{done.exit_code}\n{done.output}\n{done.exception!r}"
    return done


def words(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    found = root.iter("{http://www.w3.org/2000/svg}text")
    return [text for each in found if (text := "".join(each.itertext()).strip())]


@pytest.mark.parametrize("name", READY)
def test_every_ready_graph_is_drawn_with_its_nodes(project: Path, name: str) -> None:
    text = draw(name).output
    assert "graph TD;" in text
    assert "__start__" in text
    draw(name, "--output", "picture.svg")
    drawn = words((project / "picture.svg").read_text())
    named = [line.split('add_node("')[1].split('"')[0] for line in _lines(name) if 'add_node("' in line]
    assert {"start", "end", *named} <= set(drawn)


def test_specialists_are_in_the_picture(project: Path) -> None:
    assert {"support", "support_act", "handover", "handover_act"} <= set(
        words(draw("supervisor", "--format", "svg").output)
    )


def test_conditions_that_have_words_show_them(project: Path) -> None:
    assert {"helps", "search again", "give up"} <= set(words(draw("corrective", "--format", "svg").output))


def test_a_png_is_a_png(project: Path) -> None:
    draw("support", "--output", "picture.PNG")
    content = (project / "picture.PNG").read_bytes()
    assert content.startswith(b"\x89PNG\r\n")
    assert draw("support", "--format", "png").stdout_bytes == content


def test_names_of_any_letters_are_shown_and_never_obeyed(project: Path) -> None:
    (project / "graphs/support.py").write_text(ODD)
    svg = draw("support", "--format", "svg").output
    assert "<script" not in svg
    assert {'a<b>&"c" (d) [e]', "end", "<script>alert(1)</script>"} <= set(words(svg))


def test_what_draws_may_be_missing_and_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mmdr", None)
    assert "uv pip install 'bailiwick[draw]'" in draw("support", "--format", "svg", code=2).output
    assert "graph TD;" in draw("support").output


def test_what_is_wrong_is_one_clear_error(project: Path) -> None:
    assert "there is no agent 'nobody'" in draw("nobody", code=2).output
    assert "cannot be written" in draw("support", "--output", "nowhere/picture.svg", code=2).output
    (project / "agents/support.py").write_text(AGENT.format(graph="gone", more=""))
    assert "there is no graph 'gone'" in draw("support", code=2).output


@pytest.mark.parametrize("name", READY)
def test_the_pictures_in_the_docs_are_those_of_the_graphs(project: Path, name: str) -> None:
    for agent in ("orders", "refunds"):
        (project / f"agents/{agent}.py").write_text(AGENT.format(graph="support", more=""))
    (project / "agents/desk.py").write_text(AGENT.format(graph=name, more='specialists=("orders", "refunds")'))
    drawn = draw("desk", "--format", "svg").output
    assert drawn == (ROOT / f"docs/images/graph-{name}.svg").read_text(), (
        f"draw it anew: an agent with graph={name!r}, bailiwick graph … --output docs/images/graph-{name}.svg"
    )


def _lines(name: str) -> list[str]:
    return (ROOT / f"graphs/{name}.py").read_text().splitlines()
