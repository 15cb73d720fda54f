"""Meeting of the folders: every tool file is described in its sandbox and joined with the policy of its name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bailiwick.definition import ToolDefinition, file_digest
from bailiwick.errors import PolicyError, ToolDefinitionError
from bailiwick.gate import check_tests
from bailiwick.policy import LoadedPolicy, Policy, SandboxPolicy, check_against_schema, load_policies
from bailiwick.sandbox import Sandbox, compile_spec, describe_tools, inside_path
from bailiwick.toolbox.guarded_call import RegisteredTool

__all__ = ["join", "register_folder"]


async def register_folder(
    tools: Path, policies: Path, *, sandbox: Sandbox, cache: Path | None = None
) -> list[RegisteredTool]:
    """Every tool of ``tools`` with its policy from ``policies``.

    Raises PolicyError for a tool without a policy and a policy without a tool, and all that loading either raises.
    """
    for folder, what in ((tools, "tools"), (policies, "policies")):
        if not folder.is_dir():
            raise ToolDefinitionError(f"there is no folder of {what} here", file=folder, fix=f"make {folder}/")
    loaded = load_policies(policies)
    definitions = await _describe_all(tools, loaded, sandbox, cache)
    _check_names(definitions, loaded, tools, policies)
    project = _project_of(tools)
    return [
        join(definition, loaded[name], project=project, sandbox=sandbox) for name, definition in definitions.items()
    ]


def join(definition: ToolDefinition, loaded: LoadedPolicy, *, project: Path, sandbox: Sandbox) -> RegisteredTool:
    """Bind a tool to its policy: the policy must fit the tool's arguments, and the sandbox must be able to hold it."""
    check_against_schema(loaded, definition.parameters)
    check_tests(loaded)
    spec = compile_spec(loaded.policy, project=project, tool_file=definition.file)
    sandbox.check(spec)
    return RegisteredTool(definition=definition, policy=loaded, spec=spec, inside=inside_path(definition.file))


async def _describe_all(
    tools: Path, policies: Mapping[str, LoadedPolicy], sandbox: Sandbox, cache: Path | None
) -> dict[str, ToolDefinition]:
    # A file is imported to be described, and may import what any of the policies lets its tool have.
    wanted = sorted({name for loaded in policies.values() for name in loaded.policy.sandbox.requirements})
    known = _read(cache)
    found: dict[str, ToolDefinition] = {}
    project = _project_of(tools)
    for file in _files_of(tools):
        digest = file_digest(file)
        if (kept := known.get(digest)) is None:
            policy = Policy(sandbox=SandboxPolicy(requirements=tuple(wanted)))
            spec = compile_spec(policy, project=project, tool_file=file)
            kept = known[digest] = [_kept(tool) for tool in await describe_tools(sandbox, spec, file)]
        for tool in kept:
            definition = ToolDefinition(**tool, file=file, digest=digest)
            if definition.name in found:
                other = found[definition.name].file
                raise ToolDefinitionError(
                    f"the tool {definition.name!r} is defined in {other} as well", file=file, fix="rename one of them"
                )
            found[definition.name] = definition
    _write(cache, known)
    return found


def _project_of(tools: Path) -> Path:
    return tools.resolve().parent


def _files_of(tools: Path) -> list[Path]:
    return sorted(tools.glob("*.py"))


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
    half = cache.with_suffix(".part")
    half.write_text(json.dumps(known))
    half.replace(cache)
