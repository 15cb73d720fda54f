"""What a tunnel's first bytes must be: TLS and plain HTTP name a host, and it must be the one that was asked for."""

from __future__ import annotations

from bailiwick.policy.host_spelling import canonical_host, host_and_port, is_literal
from bailiwick.sandbox.egress.client_hello import ALERT, HelloError, begins_tls, server_name
from bailiwick.sandbox.egress.denial import Denied
from bailiwick.sandbox.egress.plain_http import begins_http, host_header

__all__ = ["may_pass"]


def may_pass(first: bytes | bytearray, *, host: str, port: int, limit: int) -> bool:
    """Whether ``first``, all that the client sent so far, may go on; False while more is needed to tell.

    ``limit``: bytes after which there is nothing more to wait for. Raises Denied, with the answer that a client of
    this protocol understands.
    """
    tls = begins_tls(first)
    http = begins_http(first) if tls is False else None
    if tls:
        decided = _tls(first, host, limit)
    elif http:
        decided = _http(first, host, port)
    else:
        decided = tls is False and http is False
    if not decided and len(first) > limit + 5 * 64:  # a ClientHello may come in several records
        raise Denied(f"its first message is longer than {limit} bytes", fix="send shorter headers", answer=b"")
    return decided


def _tls(first: bytes | bytearray, host: str, limit: int) -> bool:
    try:
        whole, name = server_name(first, limit=limit)
    except HelloError as error:
        fix = "use a TLS client that sends its server name in the clear, as they do unless told otherwise"
        raise Denied(str(error), fix=fix, answer=ALERT) from None
    if not whole:
        return False
    if not name:
        if is_literal(host):
            return True
        raise Denied("the TLS client names no host (SNI)", fix=f"set the server name to {host}", answer=ALERT)
    try:
        same = canonical_host(name) == host
    except ValueError:
        same = False
    if not same:
        fix = "ask for a tunnel to the host that TLS names, and allow it in the policy"
        raise Denied(f"the tunnel is for {host}, and TLS names {name!r}", fix=fix, answer=ALERT)
    return True


def _http(first: bytes | bytearray, host: str, port: int) -> bool:
    named = host_header(first)
    if named is None:
        return False
    try:
        plain = canonical_host(named) == host if not _has_port(named) else host_and_port(named) == (host, port)
    except ValueError:
        plain = False
    if not plain:
        told = f"its Host header says {named!r}" if named else "it has not one Host header that nothing else outdoes"
        raise Denied(f"the tunnel is for {host}:{port}, and {told}", fix=f"send one Host: {host} and a path as target")
    return True


def _has_port(named: str) -> bool:
    return ":" in named.rpartition("]")[2]
