"""A policy's ``recover: {lookup: TOOL}`` must name a tool that can only look."""

from __future__ import annotations

from collections.abc import Mapping

from bailiwick.errors import PolicyError
from bailiwick.policy import Lookup
from bailiwick.toolbox.registered import RegisteredTool

__all__ = ["check_lookups"]


def check_lookups(tools: Mapping[str, RegisteredTool]) -> None:
    """Raise PolicyError for a lookup that is no tool here, or one that writes, or that needs what no call gives it."""
    for tool in tools.values():
        recover = tool.policy.policy.recover
        if not isinstance(recover, Lookup):
            continue
        other = tools.get(recover.lookup)
        known = {"idempotency_key", *tool.definition.parameters.get("properties", {})}
        if other is None:
            problem, fix = f"there is no tool {recover.lookup!r}", f"name one of: {', '.join(sorted(tools))}"
        elif other.policy.policy.effect != "read":
            problem, fix = f"{recover.lookup!r} is no read tool, so it cannot only look", "name a tool of effect: read"
        elif missing := sorted(set(other.definition.parameters.get("required", ())) - known):
            problem = f"{recover.lookup!r} needs {missing[0]!r}, which no call of {tool.definition.name} has"
            fix = "let it take the call's own arguments, or idempotency_key"
        else:
            continue
        raise PolicyError(
            problem, file=tool.policy.file, line=tool.policy.line("recover"), key="recover.lookup", fix=fix
        )
