"""What a call can touch now and could not before, part by part; and what a result and an outcome are taken for."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from bailiwick.policy.change import Change, Direction
from bailiwick.policy.loaded import LoadedPolicy
from bailiwick.policy.model import Policy

__all__ = ["sandbox_difference"]


def sandbox_difference(old: LoadedPolicy, new: LoadedPolicy) -> Iterator[Change]:
    """Every part of ``sandbox`` and every key beside the rules that differs, except ``on_untrusted``."""
    for key, direction, text in (*_parts(old.policy, new.policy), *_beside(old.policy, new.policy)):
        yield Change(
            tool=new.policy.tool,
            key=key,
            direction=direction,
            text=text,
            old=old.where(key) if old.lines else "",
            new=new.where(key) if new.lines else "",
        )


_Found = tuple[str, Direction, str]


def _parts(old: Policy, new: Policy) -> Iterator[_Found]:
    before, after = old.sandbox, new.sandbox
    opened = before.files.read + before.files.write
    yield from _listed("sandbox.files.read", "may be read", before.files.read, after.files.read, _below(opened))
    yield from _listed("sandbox.files.write", "may be written", before.files.write, after.files.write,
                       _below(before.files.write))  # fmt: skip
    yield from _listed("sandbox.secrets", "is handed over", before.secrets, after.secrets)
    yield from _listed("sandbox.requirements", "may be imported", before.requirements, after.requirements)
    yield from _network(before.network.model_dump(mode="json"), after.network.model_dump(mode="json"))
    for name in type(after.limits).model_fields:
        yield from _amount(f"sandbox.limits.{name}", getattr(before.limits, name), getattr(after.limits, name))
    yield from _chosen("sandbox.image", before.image, after.image, {})
    ranks = {"call": 0, "thread": 1}
    yield from _chosen("sandbox.isolation", before.isolation, after.isolation, ranks)
    # Which of two named runtimes holds better is not ours to say; any of them is less than one of them.
    if before.runtime != after.runtime:
        direction: Direction = (
            "wider" if after.runtime == "any" else "narrower" if before.runtime == "any" else "may be wider"
        )
        yield "sandbox.runtime", direction, f"runtime: {before.runtime} → {after.runtime}"
    known = {"files", "secrets", "requirements", "network", "limits", "image", "isolation", "runtime"}
    for name in type(after).model_fields.keys() - known:
        yield from _chosen(f"sandbox.{name}", getattr(before, name), getattr(after, name), {})


def _beside(old: Policy, new: Policy) -> Iterator[_Found]:
    # An effect says how a call may be repeated; nobody can say here what the tool does.
    yield from _chosen("effect", old.effect, new.effect, {"read": 1, "write": 0})
    yield from _chosen("recover", _recover(old), _recover(new), {"ask": 0, "idempotent": 1})
    yield from _chosen("output.trust", old.output.trust, new.output.trust, {"untrusted": 0, "trusted": 1})
    if old.output.labels != new.output.labels:
        yield "output.labels", "same", f"labels: {_words(old.output.labels)} → {_words(new.output.labels)}"
    known = {"version", "tool", "effect", "recover", "output", "on_untrusted", "rules", "sandbox", "tests"}
    for name in type(new).model_fields.keys() - known:
        yield from _chosen(name, getattr(old, name), getattr(new, name), {})


def _listed(
    key: str,
    what: str,
    old: Sequence[str],
    new: Sequence[str],
    had: Callable[[str], bool] | None = None,
) -> Iterator[_Found]:
    for item in new:
        if item not in old:
            direction: Direction = "same" if had is not None and had(item) else "wider"
            covered = " (it lies in what was open before)" if direction == "same" else ""
            yield key, direction, f"{item} {what} now{covered}"
    for item in old:
        if item not in new:
            yield key, "narrower", f"{item} {what} no more"


def _below(opened: Sequence[str]) -> Callable[[str], bool]:
    folders = [PurePosixPath(each) for each in opened]
    return lambda path: any(PurePosixPath(path).is_relative_to(folder) for folder in folders)


def _network(old: dict[str, Any], new: dict[str, Any]) -> Iterator[_Found]:
    key = "sandbox.network.allow"
    before, after = [_endpoint(each) for each in old["allow"]], [_endpoint(each) for each in new["allow"]]
    for endpoint in after:
        if endpoint in before:
            continue
        same_host = [each for each in before if each["host"] == endpoint["host"]]
        if any(_endpoint_within(endpoint, each) for each in same_host):
            yield key, "same", f"{_host(endpoint)} may be reached (it lies in what was open before)"
        else:
            yield key, "may be wider" if same_host else "wider", f"{_host(endpoint)} may be reached now"
    for endpoint in before:
        if endpoint not in after:
            yield key, "narrower", f"{_host(endpoint)} may not be reached in this way any more"
    for name in new.keys() - {"allow"}:
        yield from _amount(f"sandbox.network.{name}", old.get(name), new[name])


def _endpoint(written: Any) -> dict[str, Any]:
    return dict(written) if isinstance(written, dict) else {"host": written}  # pyright: ignore[reportUnknownArgumentType]


def _endpoint_within(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    """Whether ``outer`` provably lets through whatever ``inner`` lets through."""
    for name, value in inner.items():
        limit = outer.get(name)
        match name:
            case "methods":
                fits = not limit or (bool(value) and set(value) <= set(limit))
            case "paths":
                fits = not limit or (
                    bool(value) and all(any(_path_below(each, top) for top in limit) for each in value)
                )
            case "addresses":
                fits = all(any(_network_below(each, top) for top in limit or ()) for each in value)
            case _:
                fits = value == limit
        if not fits:
            return False
    return True


def _path_below(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")


def _network_below(text: str, top: str) -> bool:
    inner, outer = ipaddress.ip_network(text), ipaddress.ip_network(top)
    match inner, outer:
        case ipaddress.IPv4Network(), ipaddress.IPv4Network():
            return inner.subnet_of(outer)
        case ipaddress.IPv6Network(), ipaddress.IPv6Network():
            return inner.subnet_of(outer)
        case _:
            return False


def _host(endpoint: dict[str, Any]) -> str:
    host = str(endpoint["host"]) + (f":{endpoint['port']}" if "port" in endpoint else "")
    limits = [f"{name} {_words(endpoint[name])}" for name in ("methods", "paths", "addresses") if endpoint.get(name)]
    return host + (f" ({'; '.join(limits)})" if limits else "")


def _amount(key: str, old: Any, new: Any) -> Iterator[_Found]:
    if old == new:
        return
    name = key.rpartition(".")[2]
    direction: Direction = "may be wider"
    match old, new:
        case timedelta() as before, timedelta() as after:
            direction = "wider" if after > before else "narrower"
        case (int() | float()) as before, (int() | float()) as after:
            direction = "wider" if after > before else "narrower"
        case _:
            pass
    yield key, direction, f"{name}: {_quantity(name, old)} → {_quantity(name, new)}"


def _chosen(key: str, old: Any, new: Any, ranks: dict[str, int]) -> Iterator[_Found]:
    """``ranks``: those that can be compared, from little to much."""
    if old == new:
        return
    before, after = ranks.get(str(old)), ranks.get(str(new))
    direction: Direction = "may be wider"
    if before is not None and after is not None:
        direction = "wider" if after > before else "narrower"
    yield key, direction, f"{key.rpartition('.')[2]}: {old} → {new}"


def _recover(policy: Policy) -> str:
    return policy.recover if isinstance(policy.recover, str) else f"lookup by {policy.recover.lookup}"


def _quantity(name: str, value: Any) -> str:
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if name in ("memory", "output", "disk", "bytes") and isinstance(value, int):
        for size, unit in ((2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki")):
            if value and value % size == 0:
                return f"{value // size}{unit}"
    return str(value)


def _words(items: Sequence[str]) -> str:
    return ", ".join(items) or "none"
