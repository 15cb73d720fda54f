"""From a file, or a folder of files, to policies; what is wrong is told with file, line, key and fix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bailiwick.errors import PolicyError
from bailiwick.policy.known_keys import keys_at, nearest
from bailiwick.policy.loaded import LoadedPolicy
from bailiwick.policy.model import Policy
from bailiwick.policy.reach import reach_problems
from bailiwick.policy.yaml_file import YamlFile, read_yaml

__all__ = ["beside_others", "load_policies", "load_policy", "read_policies", "read_policy"]


def load_policy(file: Path | str) -> LoadedPolicy:
    """The policy in ``file``, which is named for its tool. Raises PolicyError for the first thing that is wrong."""
    loaded, problems = read_policy(file)
    if problems:
        first, more = problems[0], len(problems) - 1
        problem = first.problem + (f" (and {more} more after this)" if more else "")
        raise PolicyError(problem, file=first.file, line=first.line, key=first.key, fix=first.fix)
    if loaded is None:
        raise AssertionError("unreachable: what is no policy has a problem")
    return loaded


def read_policy(file: Path | str) -> tuple[LoadedPolicy | None, list[PolicyError]]:
    """The policy in ``file`` and everything that is wrong with it. None: it is not even of a policy's form."""
    file = Path(file)
    try:
        read = read_yaml(file)
        data = _mapping(file, read.data)
    except PolicyError as error:
        return None, [error]
    problems = list(_in_head(read, data))
    try:
        # In a file a key is spelt one way: ``from``, which is no name that code could use.
        policy = Policy.model_validate({**data, "version": 1}, by_alias=True, by_name=False)
    except ValidationError as error:
        known = {problem.key for problem in problems}
        return None, problems + [each for each in _told(read, error) if each.key not in known]
    loaded = LoadedPolicy(policy=policy, file=file, lines=read.lines)
    return loaded, problems + list(reach_problems(loaded))


def _mapping(file: Path, data: object) -> dict[str, Any]:
    if data is None:
        raise PolicyError(
            "the file is empty, and an empty policy allows nothing",
            file=file,
            fix=f"write at least version: 1, tool: {file.stem}, effect and rules; or remove the file",
        )
    if not isinstance(data, dict):
        kind = {"list": "a list", "str": "text"}.get(type(data).__name__, "a single value")
        raise PolicyError(
            f"a policy is a mapping of keys, and this is {kind}", file=file, line=1, fix="write lines of key: value"
        )
    return cast("dict[str, Any]", data)


def _in_head(read: YamlFile, data: dict[str, Any]) -> Iterator[PolicyError]:
    file = read.file
    if "version" not in data:
        problem = "the policy does not say its version"
        yield PolicyError(problem, file=file, line=1, key="version", fix="write version: 1")
    elif type(data["version"]) is not int or data["version"] != 1:
        problem = f"the version {data['version']!r} is not known"
        yield PolicyError(problem, file=file, line=read.lines["version"], key="version", fix="write version: 1")
    if data.get("tool") != file.stem:
        yield PolicyError(
            f"the file is named for {file.stem!r} and its policy is for {data.get('tool')!r}",
            file=file,
            line=read.lines.get("tool", 1),
            key="tool",
            fix=f"write tool: {file.stem}, or rename the file",
        )


def load_policies(folder: Path | str) -> dict[str, LoadedPolicy]:
    """The policies of ``folder``, by their tool's name. Raises PolicyError for the first file that is wrong."""
    files, misnamed = _files(Path(folder))
    for problem in misnamed:
        raise problem
    loaded = {file.stem: load_policy(file) for file in files}
    for each in loaded.values():
        for problem in beside_others(each, loaded):
            raise problem
    return loaded


def read_policies(folder: Path | str) -> tuple[dict[str, LoadedPolicy], list[PolicyError]]:
    """The policies of ``folder`` that are of a policy's form, and everything that is wrong with any of them.

    Raises PolicyError where there is no such folder.
    """
    files, problems = _files(Path(folder))
    policies: dict[str, LoadedPolicy] = {}
    for file in files:
        loaded, found = read_policy(file)
        problems += found
        if loaded is not None:
            policies[file.stem] = loaded
    # A policy that cannot be read may still be meant.
    tools = [file.stem for file in files]
    problems += [problem for each in policies.values() for problem in beside_others(each, tools)]
    return policies, problems


def _files(folder: Path) -> tuple[list[Path], list[PolicyError]]:
    if not folder.is_dir():
        raise PolicyError("there is no such folder of policies", file=folder, fix=f"make {folder}/")
    files = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    misnamed = [
        PolicyError("a policy's file ends in .yaml", file=file, fix=f"rename it to {file.stem}.yaml")
        for file in files
        if file.suffix == ".yml" or (file.suffix.lower() == ".yaml" != file.suffix)
    ]
    return [file for file in files if file.suffix == ".yaml"], misnamed


def beside_others(loaded: LoadedPolicy, tools: Iterable[str]) -> Iterator[PolicyError]:
    """Tools that a rule speaks of and that have no policy, so that they can never have been called."""
    known = list(tools)
    for n, rule in enumerate(loaded.policy.rules):
        named = [(f"rules.{n}.after.{m}.tool", preceding.tool) for m, preceding in enumerate(rule.after)]
        for name, arg in rule.args.items():
            for key, origins in (("from", arg.origins), ("links", arg.links)):
                named += [
                    (f"rules.{n}.args.{name}.{key}.{m}", origin.partition(":")[2])
                    for m, origin in enumerate(origins or ())
                    if ":" in origin
                ]
        for key, tool in named:
            if tool not in known:
                guess = nearest(tool, known)
                yield PolicyError(
                    f"there is no policy for {tool!r}, so it can never have come before",
                    file=loaded.file,
                    line=loaded.line(key),
                    key=key,
                    fix=f"did you mean {guess}?" if guess else f"name one of {', '.join(known)}",
                )


def _told(read: YamlFile, error: ValidationError) -> list[PolicyError]:
    # An unknown key comes first: where it is a misspelling, it is why another is missing.
    problems = sorted(
        error.errors(include_url=False), key=lambda found: (found["type"] != "extra_forbidden", _place(read, found)[1])
    )
    told: dict[str, PolicyError] = {}
    for found in problems:
        place, line = _place(read, found)
        key = ".".join(str(part) for part in place)
        # Of a union every type that was tried complains; the first says enough.
        if key not in told:
            message, fix = _explained(found, place)
            told[key] = PolicyError(message, file=read.file, line=line, key=key or None, fix=fix)
    return list(told.values())


def _place(read: YamlFile, found: ErrorDetails) -> tuple[tuple[str | int, ...], int]:
    """Where it is wrong, as far as the file goes; pydantic adds the tried types of a union to the end."""
    place = found["loc"]
    for length in range(len(place), -1, -1):
        line = read.lines.get(".".join(str(part) for part in place[:length]))
        if line is not None:
            return (place if found["type"] == "missing" else place[:length]), line
    return place, 1


def _explained(found: ErrorDetails, place: Sequence[str | int]) -> tuple[str, str]:
    last = place[-1] if place else ""
    value = found["input"]
    match found["type"]:
        case "extra_forbidden":
            _, known = keys_at(place[:-1])
            guess = nearest(str(last), known)
            fix = f"did you mean {guess}?" if guess else f"known here: {', '.join(known)}"
            return f"unknown key {last!r}", fix
        case "missing":
            return "the key is missing", f"write {last}: ..."
        case "literal_error":
            expected = found.get("ctx", {}).get("expected", "one of the known values")
            return f"{_shown(value)} is not known here", f"write {expected}"
        case "value_error":
            problem = str(found.get("ctx", {}).get("error", found["msg"]))
            return problem, _fix_for(problem)
        case "string_pattern_mismatch" if place[-2:-1] in (("from",), ("links",)):
            fix = "write user, operator, knowledge, model, any, tool:NAME or untrusted:NAME"
            return f"{_shown(value)} is no origin of values", fix
        case "string_pattern_mismatch":
            pattern = found.get("ctx", {}).get("pattern", "")
            return f"{_shown(value)} is not a name that may stand here", f"write one that matches {pattern}"
        case "tuple_type":
            return f"a list is needed here, not {_shown(value)}", f"write it in brackets: [{value}]"
        case "dict_type" | "model_type":
            return f"a mapping is needed here, not {_shown(value)}", "write lines of key: value below it"
        case _ if isinstance(value, (dict, list)):
            return found["msg"], "write a single value"
        case _:
            fix = "correct the value; text that looks like something else needs quotes"
            return f"{found['msg']}, not {_shown(value)}", fix


def _fix_for(problem: str) -> str:
    fixes: Mapping[str, str] = {
        "regex does not compile": "correct it; write it in double or single quotes, with \\\\ or [.] for a plain dot",
        "regex needs type": "write type: string beside it",
        "gt, ge, lt and le need": "write type: integer or type: decimal beside them",
        "the range is empty": "make the lower bound smaller than the upper one",
        "enum is empty": "name at least one value, or remove the argument",
        "from is empty": "name the origins that count, such as [user]; or remove the key",
        "from cannot be told": "remove it; or write from: [model] beside the others",
        "a limit is either": "write {per: user, window: 1d, calls: 3} or {per: user, window: 1d, sum: amount, le: 100}",
        "sum and le need": "write both, as in {per: user, sum: amount, le: 100}",
        "the sum of": "name it under args with type: integer or type: decimal, without optional",
        "limits are for": "move them to the rule that allows or asks",
        "links is empty": "write links: [model] and no address passes that was found anywhere; or remove the key",
        "without and links are for": "move it to the rule that allows or asks",
        "untrusted_fields needs": "write trust: trusted beside it",
        "two rules are called": "give every rule an id of its own",
        "not a size": "write it like 64Ki, 128Mi or 1Gi",
        "not a duration": "write it like 500ms, 5s, 15m or 1d",
    }
    return next((fix for start, fix in fixes.items() if problem.startswith(start)), "correct the value")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
