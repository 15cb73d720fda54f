"""What a client asks of the proxy, and the endpoint of the policy that allows it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import h11

from bailiwick.policy.host_spelling import canonical_host, host_and_port
from bailiwick.sandbox.egress.account import Visit
from bailiwick.sandbox.egress.denial import Denied
from bailiwick.sandbox.egress.endpoint import Endpoint
from bailiwick.sandbox.egress.request_path import plain_path, within

__all__ = ["Asked", "allowed_request", "allowed_tunnel", "where"]

_TARGET = re.compile(r"http://([^/?#@\\]*)(/[^?#]*)?(\?[^#]*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request that is allowed."""

    endpoint: Endpoint
    target: str
    """Path and query, as they go to the host."""


def where(host: str, port: int) -> str:
    """``host:port``, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def allowed_tunnel(target: str, endpoints: tuple[Endpoint, ...], visit: Visit) -> Endpoint:
    """The endpoint for ``CONNECT target``. Raises Denied, 400 for what is no host and port."""
    try:
        visit.host, visit.port = host_and_port(target)
    except ValueError as error:
        visit.host = target[:255]
        raise Denied(str(error), fix="ask for CONNECT host:port", status=400) from None
    there = _at(visit, endpoints)
    for endpoint in there:
        if not endpoint.limited:
            return endpoint
    place = where(visit.host, visit.port)
    raise Denied(
        f"{place} is limited to some methods or paths, which nobody can see inside a tunnel",
        fix=f"write http://{place}/ in place of https://: the proxy itself then speaks TLS to the host, as tls says",
    )


def allowed_request(request: h11.Request, endpoints: tuple[Endpoint, ...], visit: Visit) -> Asked:
    """The endpoint for a request in absolute form. Raises Denied, 400 for what is none."""
    visit.method, target = request.method.decode("ascii"), request.target.decode("ascii")
    match = _TARGET.fullmatch(target)
    if match is None:
        fix = "write the whole address, as in GET http://host:port/path; for https:// ask for a tunnel by CONNECT"
        raise Denied("the request is not in the form that a proxy is asked in", fix=fix, status=400)
    try:
        visit.host, visit.port = _authority(match[1])
    except ValueError as error:
        visit.host = match[1][:255]
        raise Denied(str(error), fix="write http://host:port/path", status=400) from None
    path, query = match[2] or "/", match[3] or ""
    visit.path = path[:1024]
    reasons: list[str] = []
    for endpoint in _at(visit, endpoints):
        if endpoint.methods and visit.method not in endpoint.methods:
            reasons.append(f"only {', '.join(endpoint.methods)} is allowed there, not {visit.method}")
            continue
        plain = plain_path(path) if endpoint.paths else path
        if plain is None:
            reasons.append("its path could be read as another one (.., //, \\ or an escape of those)")
        elif not within(plain, endpoint.paths):
            reasons.append(f"its path is below none of {', '.join(endpoint.paths)}")
        else:
            return Asked(endpoint=endpoint, target=plain + query)
    fix = "ask within methods and paths of this entry, or widen them"
    raise Denied(f"{visit.method} to {where(visit.host, visit.port)}: {reasons[0]}", fix=fix)


def _authority(text: str) -> tuple[str, int]:
    has_port = ":" in text.rpartition("]")[2]
    return host_and_port(text) if has_port else (canonical_host(text), 80)


def _at(visit: Visit, endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    there = tuple(each for each in endpoints if (each.host, each.port) == (visit.host, visit.port))
    if not there:
        place = where(visit.host, visit.port)
        raise Denied(f"the policy does not name {place}", fix=f"add {place} to sandbox.network.allow, if it is meant")
    return there
