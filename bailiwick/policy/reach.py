"""What a policy must not reach, whatever tool it is for: checked when it is loaded."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from bailiwick.errors import PolicyError
from bailiwick.policy.host_spelling import METADATA_ADDRESSES, is_literal, is_metadata
from bailiwick.policy.loaded import LoadedPolicy
from bailiwick.policy.model import Network, Rule, SandboxPolicy
from bailiwick.policy.regex_reach import regex_problem

__all__ = ["check_reach", "reach_problems"]

_OWN = (".bailiwick", ".git")
_OF_PEOPLE = ("agents", "graphs", "tools", "policies")
_SESSION = re.compile(r"\$session\.[A-Za-z_][A-Za-z0-9_]*")

Problem = tuple[str, str, str]
"""Key, what is wrong, how to mend it."""


def check_reach(loaded: LoadedPolicy) -> None:
    """Raise PolicyError for paths and hosts that are too wide, ``exec`` that could leak, and regexes that mislead."""
    for problem in reach_problems(loaded):
        raise problem


def reach_problems(loaded: LoadedPolicy) -> Iterator[PolicyError]:
    """Everything that ``check_reach`` would raise, in its order."""
    policy = loaded.policy
    for key, message, fix in (*_in_sandbox(policy.sandbox, policy.effect), *_in_rules(policy.rules)):
        yield PolicyError(message, file=loaded.file, line=loaded.line(key), key=key, fix=fix)


def _in_rules(rules: tuple[Rule, ...]) -> Iterator[Problem]:
    for n, rule in enumerate(rules):
        for name, arg in rule.args.items():
            key = f"rules.{n}.args.{name}"
            if arg.regex is not None and (found := regex_problem(arg.regex)):
                yield f"{key}.regex", *found
            if isinstance(arg.equals, str) and arg.equals.startswith("$") and not _SESSION.fullmatch(arg.equals):
                fix = "write $session.NAME; plain text that begins with $ goes into enum"
                yield f"{key}.equals", f"{arg.equals!r} names no value of the session", fix


def _in_sandbox(sandbox: SandboxPolicy, effect: str) -> Iterator[Problem]:
    if sandbox.files.output and (found := _path_problem(sandbox.files.output, write=True)):
        yield "sandbox.files.output", *found
    for kind, paths in (("read", sandbox.files.read), ("write", sandbox.files.write)):
        for n, path in enumerate(paths):
            if found := _path_problem(path, write=kind == "write"):
                yield f"sandbox.files.{kind}.{n}", *found
    yield from _in_network(sandbox.network)
    if effect == "exec":
        # Whoever writes the code would have the secret, or the way out, in their own hands.
        for key, held in (("sandbox.network", sandbox.network.allow), ("sandbox.secrets", sandbox.secrets)):
            if held:
                what = key.removeprefix("sandbox.")
                yield key, f"a tool that runs code it is given may have no {what}", f"remove {what}, or split the tool"


def _in_network(network: Network) -> Iterator[Problem]:
    for n, endpoint in enumerate(network.allow):
        key = f"sandbox.network.allow.{n}"
        if is_metadata(endpoint.host):
            yield key, f"{endpoint.host!r} hands out the credentials of the host", "remove it; give the tool a secret"
        elif is_literal(endpoint.host) and not _of_one_host(endpoint.host):
            yield key, f"{endpoint.host!r} is not the address of one host", "name the host"
        for m, text in enumerate(endpoint.addresses):
            addresses = ipaddress.ip_network(text)
            if addresses.prefixlen < (8 if addresses.version == 4 else 7):
                fix = "name the network that the host is in, such as 10.0.0.0/8"
                yield f"{key}.addresses.{m}", f"{text!r} is too wide", fix
            elif addresses.num_addresses == 1 and addresses.network_address in METADATA_ADDRESSES:
                fix = "remove it; give the tool a secret"
                yield f"{key}.addresses.{m}", f"{text!r} hands out the credentials of the host", fix


def _of_one_host(host: str) -> bool:
    address = ipaddress.ip_address(host)
    broadcast = address == ipaddress.IPv4Address("255.255.255.255")
    return not (address.is_unspecified or address.is_multicast or broadcast)


def _path_problem(path: str, *, write: bool) -> tuple[str, str] | None:
    parts = PurePosixPath(path).parts
    if not parts or parts == ("/",) or "*" in path or "?" in path or "[" in path:
        return f"the path {path!r} is too wide", "name the files or folders that the tool needs, one by one"
    if path.startswith(("/", "~")) or "\\" in path or "\0" in path:
        return f"the path {path!r} is not relative to the project", "write it like data/orders"
    if ".." in parts:
        return f"the path {path!r} leads out of the project", "write it without .."
    if parts[0] in _OWN:
        return f"{parts[0]} holds what Bailiwick itself relies on", "keep the tool's files in a folder of their own"
    if write and parts[0] in _OF_PEOPLE:
        return f"a tool may not write to {parts[0]}/: it could give itself permissions", "let it write below data/"
    return None
