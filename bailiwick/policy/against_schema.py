"""Whether a policy and the tool of its name speak of the same arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from bailiwick.errors import PolicyError
from bailiwick.policy.known_keys import nearest
from bailiwick.policy.loaded import LoadedPolicy
from bailiwick.policy.model import Policy
from bailiwick.policy.reach import check_reach

__all__ = ["check_against_schema", "schema_problems"]

_JSON_TYPES = {
    "string": {"string"},
    "integer": {"integer", "number"},
    "decimal": {"number", "integer"},
    "boolean": {"boolean"},
    "list": {"array"},
    "object": {"object"},
}


def check_against_schema(loaded: LoadedPolicy, parameters: Mapping[str, Any]) -> None:
    """Raise PolicyError where ``loaded`` does not fit a tool with ``parameters``, a JSON Schema object.

    It does not fit when it names an argument that the tool does not have, gives one a type that it cannot be, or has
    a rule that could never match, since it leaves out an argument that every call must carry. What ``check_reach``
    finds is raised too, since a policy written in code comes by here only.
    """
    check_reach(loaded)
    for problem in schema_problems(loaded, parameters):
        raise problem


def schema_problems(loaded: LoadedPolicy, parameters: Mapping[str, Any]) -> Iterator[PolicyError]:
    """Everything that does not fit between ``loaded`` and a tool with ``parameters``, without what it reaches."""
    properties = cast("Mapping[str, Mapping[str, Any]]", parameters.get("properties") or {})
    for key, name in _named(loaded.policy):
        if name not in properties:
            guess = nearest(name, list(properties))
            have = ", ".join(properties) or "none"
            fix = f"did you mean {guess}?" if guess else "correct the name, or give the tool this argument"
            yield _wrong(loaded, key, f"{loaded.policy.tool} has no argument {name!r} (it has: {have})", fix)
    required = cast("list[str]", parameters.get("required") or [])
    for n, rule in enumerate(loaded.policy.rules):
        for name, arg in rule.args.items():
            possible = _types(properties.get(name, {}))
            if arg.type is not None and possible and not possible & _JSON_TYPES[arg.type]:
                have = " or ".join(sorted(possible))
                yield _wrong(
                    loaded, f"rules.{n}.args.{name}.type", f"the tool takes {name!r} as {have}, not as {arg.type}",
                    "give it the type that the tool takes",
                )  # fmt: skip
        missing = [name for name in required if name not in rule.args] if rule.decision != "deny" else []
        if missing:
            yield _wrong(
                loaded,
                f"rules.{n}.args" if rule.args else f"rules.{n}",
                f"the rule {rule.id!r} can never match: every call carries {missing[0]!r}, and it does not name it",
                f"name it under args; {missing[0]}: {{}} accepts any value",
            )


def _named(policy: Policy) -> Iterator[tuple[str, str]]:
    """Every argument that the policy names, with the key where it does."""
    for n, rule in enumerate(policy.rules):
        for name in rule.args:
            yield f"rules.{n}.args.{name}", name
        for m, preceding in enumerate(rule.after):
            for i, name in enumerate(preceding.same):
                yield f"rules.{n}.after.{m}.same.{i}", name
        for i, name in enumerate(rule.approval.show):
            yield f"rules.{n}.approval.show.{i}", name
    for n, test in enumerate(policy.tests):
        for name in test.args:
            yield f"tests.{n}.args.{name}", name


def _types(schema: Mapping[str, Any]) -> set[str]:
    """The JSON types a value may have. Empty: the schema does not say."""
    if options := cast("list[Mapping[str, Any]]", schema.get("anyOf") or schema.get("oneOf") or []):
        each = [_types(option) for option in options]
        return set[str]().union(*each) if all(each) else set()
    kind = schema.get("type")
    if isinstance(kind, list):
        return set(cast("list[str]", kind))
    return {kind} if isinstance(kind, str) else set()


def _wrong(loaded: LoadedPolicy, key: str, message: str, fix: str) -> PolicyError:
    return PolicyError(message, file=loaded.file, line=loaded.line(key), key=key, fix=fix)
