"""What the result of a recorded call is worth under policies: the sources that it brings into the conversation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from bailiwick.gate import Origins, Source, leaves, result_sources
from bailiwick.policy import LoadedPolicy, Output
from bailiwick.replay.recorded import RecordedCall

__all__ = ["labels_under", "sources_of", "taints", "trust_of"]

_TELLS = ("ok", "error")
"""Outcomes of which the tool's own words reach the model: also the message of a failure is text from there."""


def trust_of(call: RecordedCall, loaded: LoadedPolicy | None, before: Origins) -> Literal["trusted", "untrusted"]:
    """As the tool's policy says; without one as it was recorded, and untrusted where that is not known either.

    ``inherit`` is worth what the least of the arguments is, as far as ``before`` tells where they come from.
    """
    if loaded is None:
        return "trusted" if call.trust == "trusted" else "untrusted"
    trust = loaded.policy.output.trust
    if trust != "inherit":
        return trust
    labels = before.labels(dict(call.args))
    return "untrusted" if any(label.startswith("untrusted:") for label in labels) else "trusted"


def sources_of(call: RecordedCall, loaded: LoadedPolicy | None, before: Origins) -> Iterator[Source]:
    """What ``call`` brought in, told as ``bailiwick.gate.result_sources`` tells it. Nothing where nothing came back."""
    if call.outcome not in _TELLS or call.result is None:
        return
    output = loaded.policy.output if loaded is not None else Output()
    trust = trust_of(call, loaded, before)
    yield from result_sources(
        call.tool,
        _value(call.result) if call.ok else call.result,
        trust=trust,
        untrusted_fields=output.untrusted_fields if trust == "trusted" and call.ok else (),
        labels=output.labels,
        made_from=call.args if output.trust == "inherit" else None,
    )


def taints(call: RecordedCall, loaded: LoadedPolicy | None, before: Origins) -> bool:
    """Whether it brought untrusted text into the conversation."""
    if call.outcome not in _TELLS:
        return False
    if trust_of(call, loaded, before) == "untrusted":
        return True
    return any(source.label.startswith("untrusted:") for source in sources_of(call, loaded, before))


def labels_under(labels: tuple[str, ...], policies: Mapping[str, LoadedPolicy]) -> tuple[str, ...]:
    """Recorded ``labels`` as they would be under ``policies``: what a tool says may be worth something else there."""
    return tuple(dict.fromkeys(_under(label, policies) for label in labels))


def _under(label: str, policies: Mapping[str, LoadedPolicy]) -> str:
    tool = label.partition(":")[2]
    loaded = policies.get(tool)
    if loaded is None or loaded.policy.output.trust == "inherit" or loaded.policy.output.untrusted_fields:
        return label
    return f"{'tool' if loaded.policy.output.trust == 'trusted' else 'untrusted'}:{tool}"


def _value(text: str) -> Any:
    """A result as data; text that is no JSON is the result itself."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if next(leaves(found), None) is not None else text
