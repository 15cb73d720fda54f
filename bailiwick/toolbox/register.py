"""Meeting of the folders: every tool file is described in its sandbox and joined with the policy of its name."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bailiwick.definition import ToolDefinition, file_digest
from bailiwick.errors import PolicyError, ToolDefinitionError
from bailiwick.gate import check_tests
from bailiwick.policy import LoadedPolicy, Policy, SandboxPolicy, check_against_schema, load_policies
from bailiwick.sandbox import Sandbox, Spec, compile_spec, describe_tools, inside_path
from bailiwick.toolbox.registered import RegisteredTool

__all__ = ["join", "register_folder"]


async def register_folder(
    tools: Path, policies: Path, *, sandbox: Sandbox, cache: Path | None = None
) -> list[RegisteredTool]:
    """Every tool of ``tools`` with its policy from ``policies``.

    Raises PolicyError for a tool without a policy and a policy without a tool, and all that loading either raises.
    """
    # What waits for the disk runs in threads, since a server opens its project on the loop that it serves from.
    found = await asyncio.to_thread(_look, tools, policies, cache)
    for each in found.files:
        if each.described is None:
            described = await describe_tools(sandbox, each.spec, each.file)
            found.known[each.digest] = each.described = [_kept(tool) for tool in described]
    return await asyncio.to_thread(_join_all, found, tools, policies, sandbox, cache)


def join(definition: ToolDefinition, loaded: LoadedPolicy, *, project: Path, sandbox: Sandbox) -> RegisteredTool:
    """Bind a tool to its policy: the policy must fit the tool's arguments, and the sandbox must be able to hold it."""
    check_against_schema(loaded, definition.parameters)
    check_tests(loaded)
    spec = compile_spec(loaded.policy, project=project, tool_file=definition.file)
    sandbox.check(spec)
    output = loaded.policy.sandbox.files.output
    return RegisteredTool(
        definition=definition,
        policy=loaded,
        spec=spec,
        project=project,
        inside=inside_path(definition.file),
        outputs=project.resolve() / output if output else None,
    )


@dataclass
class _ToolFile:
    """A file of tools. ``described`` None: it has to be described."""

    file: Path
    digest: str
    spec: Spec
    described: list[dict[str, Any]] | None


@dataclass
class _Found:
    loaded: Mapping[str, LoadedPolicy]
    files: list[_ToolFile]
    known: dict[str, list[dict[str, Any]]]
    """What files declare, by their digest: the cache."""


def _look(tools: Path, policies: Path, cache: Path | None) -> _Found:
    for folder, what in ((tools, "tools"), (policies, "policies")):
        if not folder.is_dir():
            raise ToolDefinitionError(f"there is no folder of {what} here", file=folder, fix=f"make {folder}/")
    loaded = load_policies(policies)
    # A file is imported to be described, and may import what any of the policies lets its tool have.
    wanted = sorted({name for each in loaded.values() for name in each.policy.sandbox.requirements})
    describing = Policy(sandbox=SandboxPolicy(requirements=tuple(wanted)))
    known = _read(cache)
    files: list[_ToolFile] = []
    for file in sorted(tools.glob("*.py")):
        digest = file_digest(file)
        spec = compile_spec(describing, project=_project_of(tools), tool_file=file)
        files.append(_ToolFile(file=file, digest=digest, spec=spec, described=known.get(digest)))
    return _Found(loaded=loaded, files=files, known=known)


def _join_all(found: _Found, tools: Path, policies: Path, sandbox: Sandbox, cache: Path | None) -> list[RegisteredTool]:
    definitions = _definitions(found.files)
    _check_names(definitions, found.loaded, tools, policies)
    _write(cache, found.known)
    project = _project_of(tools)
    return [
        join(definition, found.loaded[name], project=project, sandbox=sandbox)
        for name, definition in definitions.items()
    ]


def _definitions(files: Iterable[_ToolFile]) -> dict[str, ToolDefinition]:
    defined: dict[str, ToolDefinition] = {}
    for each in files:
        for tool in each.described or ():
            definition = ToolDefinition(**tool, file=each.file, digest=each.digest)
            if definition.name in defined:
                other = defined[definition.name].file
                raise ToolDefinitionError(
                    f"the tool {definition.name!r} is defined in {other} as well",
                    file=each.file,
                    fix="rename one of them",
                )
            defined[definition.name] = definition
    return defined


def _project_of(tools: Path) -> Path:
    return tools.resolve().parent


def _check_names(
    definitions: Mapping[str, ToolDefinition], policies: Mapping[str, LoadedPolicy], tools: Path, folder: Path
) -> None:
    for name, definition in definitions.items():
        if name not in policies:
            raise PolicyError(
                f"the tool {name!r} has no policy, so it may not run",
                file=definition.file,
                key=name,
                fix=f"write {folder / name}.yaml",
            )
    for name, loaded in policies.items():
        if name not in definitions:
            have = ", ".join(sorted(definitions)) or "none"
            raise PolicyError(
                f"no file under {tools}/ defines a tool {name!r} (there are: {have})",
                file=loaded.file,
                line=loaded.lines.get("tool"),
                key="tool",
                fix="correct the name, or remove the policy",
            )


def _kept(tool: ToolDefinition) -> dict[str, Any]:
    data = asdict(tool)
    return {key: data[key] for key in ("name", "description", "parameters")}


def _read(cache: Path | None) -> dict[str, list[dict[str, Any]]]:
    try:
        return json.loads(cache.read_text()) if cache is not None else {}
    except (OSError, ValueError):
        return {}


def _write(cache: Path | None, known: Mapping[str, Iterable[dict[str, Any]]]) -> None:
    if cache is None:
        return
    cache.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: two processes that open the project at once both write.
    descriptor, half = tempfile.mkstemp(prefix=".half-", dir=cache.parent)
    try:
        with os.fdopen(descriptor, "w") as opened:
            opened.write(json.dumps(known))
        Path(half).replace(cache)
    finally:
        Path(half).unlink(missing_ok=True)
