"""Learning what a tool's file declares without importing it here: the sandbox imports it, and tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from bailiwick.definition import ToolDefinition, file_digest
from bailiwick.errors import ToolDefinitionError
from bailiwick.sandbox.compile_policy import inside_path
from bailiwick.sandbox.spec import Request, Result, Sandbox, Spec

__all__ = ["describe_tools"]

_TIME = 20.0
_OUTPUT = 2**20


async def describe_tools(sandbox: Sandbox, spec: Spec, file: Path) -> list[ToolDefinition]:
    """Every function under ``@tool`` in ``file``, as described inside ``sandbox``.

    Raises ToolDefinitionError with file, line and fix when the file cannot be imported there, has no tool, or
    declares one wrongly; and what ``Sandbox.run`` raises.
    """
    digest = file_digest(file)
    request = Request(op="describe", file=inside_path(file), time=_TIME, output=_OUTPUT)
    result = await sandbox.run(spec, request)
    value: object = result.value
    if result.cause != "ok" or not isinstance(value, dict):
        raise ToolDefinitionError(
            f"it cannot be described: importing it ended with {_end_of(result)}",
            file=file,
            fix="keep the top of the file to imports and definitions",
        )
    told = cast("Mapping[str, Any]", value)
    if (problem := told.get("problem")) is not None:
        raise _problem(file, cast("Mapping[str, Any]", problem))
    tools = cast("list[Mapping[str, Any]]", told.get("tools") or [])
    if not tools:
        raise ToolDefinitionError(
            "no function in it is a tool",
            file=file,
            fix="write @tool above a function (from bailiwick import tool), or move the file out of the folder",
        )
    return [
        ToolDefinition(
            name=str(each["name"]),
            description=str(each["description"]),
            parameters=each["parameters"],
            file=file,
            digest=digest,
        )
        for each in tools
    ]


def _end_of(result: Result) -> str:
    if result.failure is not None:
        return f"{result.failure.type}: {result.failure.message}"
    return result.cause


def _problem(file: Path, problem: Mapping[str, Any]) -> ToolDefinitionError:
    line = problem.get("line")
    fix = str(problem.get("fix") or "")
    if not fix and (missing := problem.get("missing")):
        fix = (
            f"name the distribution that has {missing!r} under sandbox.requirements in the tool's policy; a tool's "
            "file can import the standard library, its requirements, and nothing that lies beside it"
        )
    return ToolDefinitionError(
        str(problem.get("message") or "it cannot be described"),
        file=file,
        line=line if isinstance(line, int) else None,
        fix=fix or "correct the file; it is imported inside the sandbox",
    )
