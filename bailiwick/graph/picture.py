"""A graph as a picture: Mermaid's text by LangGraph, SVG and PNG from it on this machine.

LangGraph's own ``draw_mermaid_png`` sends the graph to somebody's server, or starts a browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from langchain_core.runnables.graph import Edge, Graph, Node, NodeStyles
from langgraph.graph import END, START
from langgraph.graph.state import CompiledStateGraph

from bailiwick.errors import ConfigError

__all__ = ["mermaid_text", "png_picture", "svg_picture"]

SCALE = 2
"""Pixels of a PNG for one of the SVG."""
_STYLES = NodeStyles(
    default="fill:#f2f0ff,stroke:#6a5acd,color:#28253d,line-height:1.2",
    first="fill:#ffffff,stroke:#28253d,color:#28253d,rx:20px,ry:20px",
    last="fill:#d9d4fd,stroke:#28253d,color:#28253d,rx:20px,ry:20px",
)
_LOOK: dict[str, Any] = {
    "config": {
        "theme": "default",
        "look": "classic",
        "fontFamily": "Helvetica, Arial, sans-serif",
        "themeVariables": {"clusterBkg": "#faf9ff", "clusterBorder": "#b8b2d8"},
    }
}
_SHOWN = {START: "start", END: "end"}
_KEYWORDS = frozenset(
    {"class", "classdef", "click", "default", "end", "flowchart", "graph", "linkstyle", "style", "subgraph"}
)
_ODD = re.compile(r"[^\w .-]")
_WIDTH = re.compile(r'viewBox="\S+ \S+ (\S+) \S+"')


def mermaid_text(graph: CompiledStateGraph[Any, Any, Any, Any]) -> str:
    """The graph in Mermaid's language, with the graphs inside it. Names of nodes and edges may hold anything."""
    drawn = graph.get_graph(xray=True)
    keys = _keys(drawn.nodes)
    # LangGraph writes names and words as they are, and one bracket in them would end the picture.
    nodes = {keys[key]: _named(node, keys[key]) for key, node in drawn.nodes.items()}
    edges = [
        Edge(keys[each.source], keys[each.target], _escaped(str(each.data)) if each.data else None, each.conditional)
        for each in drawn.edges
    ]
    text = Graph(nodes=nodes, edges=edges).draw_mermaid(node_colors=_STYLES, frontmatter_config=_LOOK)
    # The colon of a node in a graph inside, which only a browser's Mermaid reads as LangGraph writes it.
    return text.replace("\\3a", "__")


def svg_picture(mermaid: str) -> str:
    """Mermaid's text as SVG. Raises ConfigError where what draws it is not installed."""
    return str(_drawn(mermaid).svg())


def png_picture(mermaid: str) -> bytes:
    """Mermaid's text as PNG on white. Raises ConfigError as ``svg_picture`` does."""
    drawn = _drawn(mermaid)
    width = _WIDTH.search(drawn.svg())
    return bytes(drawn.png(width=float(width[1]) * SCALE if width else None, background="#ffffff"))


def _drawn(mermaid: str) -> Any:
    try:
        # No import at the top: it is an extra.
        draw = import_module("mmdr")
    except ImportError as error:
        raise ConfigError(
            "drawing SVG and PNG needs a package that is not installed; Mermaid's text needs none",
            fix="uv pip install 'bailiwick[draw]', or take --format mermaid",
        ) from error
    # A stadium is drawn as if by hand, in thirty kilobytes of strokes; a box with round corners looks the same.
    return draw.render(mermaid.replace("([", "(").replace("])", ")"))


def _keys(names: Iterable[str]) -> dict[str, str]:
    """For each node a key of letters that Mermaid takes for no word of its own; a colon leads into a graph inside."""
    parts: dict[str, str] = {}
    for part in (part for name in names for part in name.split(":")):
        if part not in parts:
            plain = re.sub(r"[^A-Za-z0-9_]", "_", part)
            taken = plain.lower() in _KEYWORDS or plain in parts.values()
            parts[part] = f"{plain}_{len(parts)}" if taken or not plain else plain
    return {name: ":".join(parts[part] for part in name.split(":")) for name in names}


def _named(node: Node, key: str) -> Node:
    name = node.name.rpartition(":")[2]
    name = _SHOWN.get(name, name)
    return Node(key, f'"{_escaped(name)}"' if _ODD.search(name) else name, node.data, node.metadata)


def _escaped(text: str) -> str:
    return _ODD.sub(lambda found: f"#{ord(found[0])};", text)
