"""What ``bailiwick policy explain`` is told of a conversation, as the gate wants it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import typer

from bailiwick.gate import Origins, Source, leaves, result_sources
from bailiwick.policy import LoadedPolicy, Output, Used, load_policy

__all__ = ["origins_given", "used_given"]


def origins_given(policies: Path, user: Sequence[str], results: Sequence[str], session: Mapping[str, Any]) -> Origins:
    """What the user said and tools gave. A result is worth what its tool's policy says; without one, nothing."""
    sources = [Source(label="operator", values=tuple(leaves(dict(session))))] if session else []
    sources += [Source(label="user", values=(text,)) for text in user]
    for each in results:
        tool, colon, text = each.partition(":")
        file = policies / f"{tool.strip()}.yaml"
        output = load_policy(file).policy.output if file.is_file() else Output()
        value = _json(text) if colon else ""
        trust = "untrusted" if output.trust == "untrusted" else "trusted"
        sources += result_sources(
            tool.strip(), value, trust=trust, untrusted_fields=output.untrusted_fields, labels=output.labels
        )
    return Origins(sources)


def used_given(loaded: LoadedPolicy, calls: int, total: str) -> dict[tuple[str, int], Used]:
    """The same for every limit of the policy."""
    try:
        used = Used(calls=calls, sum=Decimal(total))
    except (InvalidOperation, ValueError):
        raise typer.BadParameter("a number is needed that is not below zero", param_hint="--used-sum") from None
    return {(rule.id, n): used for rule in loaded.policy.rules for n in range(len(rule.limits))}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # a tool may well give plain text
