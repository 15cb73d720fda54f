"""What a person vouches for by a yes to a question about where values come from."""

from __future__ import annotations

from itertools import islice
from typing import Any

from bailiwick.gate.compiled import compiled
from bailiwick.gate.occurrence import occurs
from bailiwick.gate.origins import leaves
from bailiwick.gate.verdict import Call, Context
from bailiwick.policy import LoadedPolicy

__all__ = ["vouched_for"]

_MOST = 500
"""Values of one result; nobody oversees a longer list, and the rest of it is asked about again."""


def vouched_for(rule: str, call: Call, loaded: LoadedPolicy, context: Context) -> dict[str, list[Any]]:
    """By argument the values that a yes to ``call`` under ``rule`` makes good for other calls; see ``Approval.bind``.

    They are the argument's own, and all of the trusted results in which they stand. An untrusted result is never
    vouched for as a whole: an attacker's value may stand right beside. Empty: the yes is for this call alone.
    """
    rules = compiled(loaded)
    found = next((each for each in (*rules.allow, *rules.ask) if each.rule.id == rule), None)
    if found is None or found.rule.approval.bind != "values":
        return {}
    made: dict[str, list[Any]] = {}
    for failure in found.but_for_origins(call, context):
        if failure.kind != "from":
            continue
        own = list(islice(leaves(call.args.get(failure.name)), _MOST))
        beside = (
            value
            for source in context.origins.sources
            if source.label.startswith("tool:") and any(occurs(leaf, known) for leaf in own for known in source.values)
            for value in source.values
        )
        made[failure.name] = [*own, *islice(beside, _MOST)]
    return made
