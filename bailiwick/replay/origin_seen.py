"""Where the values of one argument came from in all calls that were seen: the fewest origins that account for them."""

from __future__ import annotations

from collections.abc import Container, Sequence

from bailiwick.replay.seen import Seen

__all__ = ["origin_of"]

_PREFERRED = ("user", "operator", "knowledge", "tool", "untrusted")
"""Of several origins that would do alone the first is taken: the nearer to who speaks, the less is given away."""


def origin_of(name: str, seen: Sequence[Seen], tools: Container[str]) -> tuple[tuple[str, ...], str]:
    """The labels for ``from``, and an empty text; or none, and why. ``tools``: those that may be named."""
    found = dict.fromkeys(label for each in seen for label in each.context.origins.labels(each.call.args[name]))
    usable = [label for label in found if label != "model" and (":" not in label or label.partition(":")[2] in tools)]
    usable.sort(key=lambda label: (_PREFERRED.index(label.partition(":")[0]), label))
    for label in usable:
        if not _strange(name, seen, (label,)):
            return (label,), ""
    trusted = tuple(label for label in usable if not label.startswith("untrusted:"))
    for several in (trusted, tuple(usable)):
        if several and not _strange(name, seen, several):
            return _fewest(name, seen, several), ""
    strange = _strange(name, seen, tuple(usable))
    if not strange:
        return (), ""  # there is nothing in the values that could come from anywhere
    blind = [each for each in strange if not each.traceable]
    if blind:
        return (), f"no from: in {_calls(len(blind))} the record does not hold all that was said"
    return (), f"no from: in {_calls(len(strange))} of {len(seen)} the value was found nowhere, so the model made it up"


def _fewest(name: str, seen: Sequence[Seen], labels: tuple[str, ...]) -> tuple[str, ...]:
    """Without those that are not needed, the least preferred of them first."""
    kept = list(labels)
    for label in reversed(labels):
        without = tuple(each for each in kept if each != label)
        if without and not _strange(name, seen, without):
            kept.remove(label)
    return tuple(kept)


def _strange(name: str, seen: Sequence[Seen], labels: tuple[str, ...]) -> list[Seen]:
    return [each for each in seen if each.context.origins.foreign(each.call.args[name], labels) is not None]


def _calls(count: int) -> str:
    return f"{count} call{'' if count == 1 else 's'}"
