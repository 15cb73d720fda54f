"""A suggested policy as the file that a person reads: beside every line the calls that it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from bailiwick.policy import LoadedPolicy
from bailiwick.policy.json_schema import SCHEMA_URL
from bailiwick.replay.arguments import Argument, Constraint
from bailiwick.replay.seen import Seen
from bailiwick.replay.suggested_rule import SuggestedRule
from bailiwick.replay.yaml_text import flow, on_one_line

__all__ = ["calls_in_words", "policy_text"]

_SHOWN = 3
_BY_HAND = "# set this by hand: no call tells it"
_SIZES = ("memory", "output", "disk", "bytes")


def policy_text(
    tool: str,
    rules: Sequence[SuggestedRule],
    *,
    on_untrusted: Literal["allow", "ask", "deny"],
    tainted: Sequence[Seen],
    existing: LoadedPolicy | None,
    trust: Literal["trusted", "untrusted"],
    tests: Sequence[Mapping[str, Any]],
    remarks: Sequence[str],
) -> str:
    """The file. ``existing`` gives what no call tells; None: the least of it, and ``trust`` as it was recorded.

    ``tainted``: why ``on_untrusted`` is so. ``remarks`` stand at its head.
    """
    seen = [each for rule in rules for each in rule.seen]
    lines = [
        f"# yaml-language-server: $schema={SCHEMA_URL}",
        f"# Suggested from {calls_in_words(seen)}",
        "# It lets through what was seen and little more; what was never seen may still be right. Read it before use.",
        *(f"# {on_one_line(remark)}" for remark in remarks),
        "version: 1",
        f"tool: {flow(tool)}",
        *_head(existing, trust),
        f"on_untrusted: {on_untrusted}  # {_untrusted_in_words(tainted)}",
        "rules:",
    ]
    for rule in rules:
        lines += _rule(rule)
    lines += _sandbox(existing)
    if tests:
        lines.append("tests:")
        for test in tests:
            lines += _item(test, "  ")
    return "\n".join(lines) + "\n"


def calls_in_words(seen: Sequence[Seen]) -> str:
    """``14 calls: 62c82185d55ec1a5, 29c0e596b2109307, …``: their spans, by which Phoenix finds them."""
    spans = [each.call.span or each.call.trace or each.call.id for each in seen]
    named = ", ".join(filter(None, spans[:_SHOWN])) + (", …" if len(spans) > _SHOWN else "")
    return f"{len(seen)} call{'' if len(seen) == 1 else 's'}" + (f": {on_one_line(named)}" if named else "")


def _from(seen: Sequence[Seen]) -> str:
    return f"  # from {calls_in_words(seen)}"


def _untrusted_in_words(tainted: Sequence[Seen]) -> str:
    if tainted:
        return f"untrusted content was read before {calls_in_words(tainted)}"
    return "no call was seen after untrusted content was read"


def _head(existing: LoadedPolicy | None, trust: Literal["trusted", "untrusted"]) -> Iterator[str]:
    if existing is None:
        yield f"effect: write  {_BY_HAND} (read | write | egress | exec); a write is never repeated blindly"
        told = "# as it was recorded" if trust == "trusted" else f"{_BY_HAND}: trusted, if it holds nobody else's words"
        yield f"output: {{trust: {trust}}}  {told}"
        return
    policy = existing.policy
    yield f"effect: {policy.effect}  # as in the policy that there is"
    if policy.recover != "ask":
        recover = policy.recover
        yield f"recover: {recover if isinstance(recover, str) else flow(recover.model_dump())}"
    if written := policy.output.model_dump(mode="json", exclude_defaults=True):
        yield f"output: {flow(written)}"


def _sandbox(existing: LoadedPolicy | None) -> Iterator[str]:
    written = existing.policy.sandbox.model_dump(mode="json", exclude_defaults=True) if existing is not None else {}
    if not written:
        yield f"sandbox: {{}}  {_BY_HAND}; empty is no file, no network and no secret"
        return
    yield "sandbox:  # as in the policy that there is"
    for name, value in written.items():
        yield f"  {name}: {flow(_sized(value))}"


def _sized(value: Any) -> Any:
    """Bytes as people write them."""
    if not isinstance(value, dict):
        return value
    pairs = cast("dict[str, Any]", value)
    return {name: _size(item) if name in _SIZES else item for name, item in pairs.items()}


def _size(value: Any) -> Any:
    for unit, name in ((2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki")):
        if isinstance(value, int) and value and value % unit == 0:
            return f"{value // unit}{name}"
    return value


def _rule(rule: SuggestedRule) -> Iterator[str]:
    yield f"  - id: {rule.id}"
    yield f"    decision: {rule.decision}"
    yield f"    agents: {flow(rule.agents.value)}{_from(rule.agents.seen)}"
    if rule.args:
        yield "    args:"
    for arg in rule.args:
        yield from _argument(arg)
    yield from _listed("after", rule.after)
    yield from _listed("limits", rule.limits)
    for remark in rule.remarks:
        yield f"    # {remark}"
    if rule.decision == "ask":
        if rule.approval is None:
            yield '    # approval: say here who may say yes, as in {by: ["role:refund-lead"]}; without it anybody may'
        elif written := rule.approval.model_dump(mode="json", exclude_defaults=True):
            yield f"    approval: {flow(written)}  # as in the policy that there is"
    yield f"    reason: {flow(rule.reason)}"


def _argument(arg: Argument) -> Iterator[str]:
    if arg.constraints:
        yield f"      {flow(arg.name)}:"
        for each in arg.constraints:
            yield f"        {each.key}: {flow(each.value)}{_from(each.seen)}"
    else:
        yield f"      {flow(arg.name)}: {{}}  # any value"
    for remark in arg.remarks:
        yield f"        # {remark}"


def _listed(key: str, constraints: Sequence[Constraint]) -> Iterator[str]:
    if constraints:
        yield f"    {key}:"
        for each in constraints:
            yield f"      - {flow(each.value)}{_from(each.seen)}"


def _item(test: Mapping[str, Any], indent: str) -> Iterator[str]:
    start = f"{indent}- "
    for name, value in test.items():
        yield f"{start}{name}: {flow(value)}"
        start = f"{indent}  "
