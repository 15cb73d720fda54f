"""All that is wrong with a folder of policies, alone and beside the tools and agents of its project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bailiwick.errors import PolicyError
from bailiwick.gate.declared_tools import DeclaredTool
from bailiwick.gate.lint import lint
from bailiwick.policy import LoadedPolicy
from bailiwick.policy.against_schema import schema_problems
from bailiwick.policy.known_keys import nearest
from bailiwick.policy.load import read_policies
from bailiwick.policy.remark import Remark

__all__ = ["check_folder"]


def check_folder(
    folder: Path,
    *,
    tools: Mapping[str, DeclaredTool] | None = None,
    agents: Sequence[str] | None = None,
) -> tuple[dict[str, LoadedPolicy], list[Remark]]:
    """The policies of ``folder`` that could be read, and every problem and warning, by file and line.

    ``tools`` and ``agents`` are those of the project; None: not looked at. Raises PolicyError where there is no folder.
    """
    policies, errors = read_policies(folder)
    remarks = [Remark.of(error) for error in errors]
    for loaded in policies.values():
        remarks += lint(loaded, agents=agents)
        remarks += _origins_that_never_count(loaded, policies)
    if tools is not None:
        remarks += _beside_tools(folder, policies, tools)
    remarks.sort(key=lambda remark: (remark.file, remark.line or 0, remark.key))
    return policies, list(dict.fromkeys(remarks))


def _origins_that_never_count(loaded: LoadedPolicy, policies: Mapping[str, LoadedPolicy]) -> Iterator[Remark]:
    """``tool:NAME`` of a tool all of whose results are untrusted: no value will ever come from there."""
    for n, rule in enumerate(loaded.policy.rules):
        for name, arg in rule.args.items():
            for word, origins in (("from", arg.origins), ("links", arg.links)):
                for m, origin in enumerate(origins or ()):
                    kind, _, tool = origin.partition(":")
                    other = policies.get(tool)
                    if kind == "tool" and other is not None and other.policy.output.trust == "untrusted":
                        key = f"rules.{n}.args.{name}.{word}.{m}"
                        error = PolicyError(
                            f"{origin!r} never counts: its policy says that all results of {tool} are untrusted",
                            file=loaded.file,
                            line=loaded.line(key),
                            key=key,
                            fix=f"write untrusted:{tool} if you mean it, or output: {{trust: trusted}} in {other.file}",
                        )
                        yield Remark.of(error)


def _beside_tools(
    folder: Path, policies: Mapping[str, LoadedPolicy], tools: Mapping[str, DeclaredTool]
) -> Iterator[Remark]:
    for name, tool in tools.items():
        if not (folder / f"{name}.yaml").is_file():
            fix = f"write {folder / name}.yaml"
            message = f"the tool {name!r} has no policy, so it may not run"
            yield Remark.of(PolicyError(message, file=tool.file, line=tool.line, key=name, fix=fix))
    for file in sorted(folder.glob("*.yaml")):
        loaded, tool = policies.get(file.stem), tools.get(file.stem)
        if tool is None:
            guess = nearest(file.stem, list(tools))
            fix = f"did you mean {guess}?" if guess else "write the tool, or remove the policy"
            line = loaded.lines.get("tool") if loaded is not None else None
            message = f"no file of tools declares {file.stem!r}"
            yield Remark.of(PolicyError(message, file=file, line=line, key="tool", fix=fix))
        elif loaded is not None and tool.parameters is not None:
            yield from map(Remark.of, schema_problems(loaded, tool.parameters))
