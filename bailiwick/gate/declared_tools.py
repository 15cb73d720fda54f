"""Which tools the files of a folder declare, found by reading them: nothing is imported, and no sandbox is needed."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bailiwick.definition import file_digest

__all__ = ["DeclaredTool", "declared_tools"]


@dataclass(frozen=True, kw_only=True)
class DeclaredTool:
    """A function with ``@tool``. ``parameters`` None: the file was not described since it was written so."""

    name: str
    file: Path
    line: int
    parameters: Mapping[str, Any] | None = None


def declared_tools(folder: Path, *, cache: Path | None = None) -> dict[str, DeclaredTool]:
    """The tools of ``folder`` by name, with what ``cache`` keeps of them. A file that is no Python declares none.

    A tool that a file makes in another way than by ``@tool`` above a function is not found by reading.
    """
    known = _described(cache)
    found: dict[str, DeclaredTool] = {}
    for file in sorted(folder.glob("*.py")):
        parameters = known.get(file_digest(file), {})
        for name, line in _decorated(file):
            found[name] = DeclaredTool(name=name, file=file, line=line, parameters=parameters.get(name))
        for name in parameters.keys() - found.keys():
            found[name] = DeclaredTool(name=name, file=file, line=1, parameters=parameters[name])
    return found


def _decorated(file: Path) -> Iterator[tuple[str, int]]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and any(map(_is_tool, node.decorator_list)):
            yield node.name, node.lineno


def _is_tool(decorator: ast.expr) -> bool:
    match decorator:
        case ast.Name(id="tool") | ast.Attribute(attr="tool"):
            return True
        case ast.Call(func=called):
            return _is_tool(called)
        case _:
            return False


def _described(cache: Path | None) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Of every file's digest its tools and their parameters; nothing where the cache is missing or torn."""
    try:
        kept: dict[str, list[dict[str, Any]]] = json.loads(cache.read_text()) if cache is not None else {}
        return {digest: {str(tool["name"]): tool["parameters"] for tool in tools} for digest, tools in kept.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
