"""Whether a tunnel's first bytes are plain HTTP, and the host that they ask for."""

from __future__ import annotations

import re

__all__ = ["begins_http", "host_header"]

# As lenient as servers are: empty lines before it, tabs, any method, any case.
_REQUEST = re.compile(rb"[\r\n]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]+[^ \t\r\n\0]+[ \t]+HTTP/", re.IGNORECASE)
_SO_FAR = re.compile(
    rb"[\r\n]*(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]+(?:[^ \t\r\n\0]+(?:[ \t]+(?:H(?:T(?:T(?:P/?)?)?)?)?)?)?)?)?",
    re.IGNORECASE,
)
_HEAD = re.compile(rb"\r?\n\r?\n")
_HOST = re.compile(rb"host[ \t]*:[ \t]*([^\r\n]*?)[ \t]*", re.IGNORECASE)


def begins_http(data: bytes | bytearray) -> bool | None:
    """Whether these first bytes are an HTTP request; None while they could still become one.

    A line that other protocols begin with, such as SMTP's ``EHLO name``, is told apart by its end.
    """
    if _REQUEST.match(data):
        return True
    return None if _SO_FAR.fullmatch(data) else False


def host_header(data: bytes | bytearray) -> str | None:
    """The one Host header of the request; empty when there is none or more than one; None while its head goes on."""
    start = data.lstrip(b"\r\n")
    head = _HEAD.search(start)
    if head is None:
        return None
    hosts = [match[1] for line in re.split(rb"\r?\n", start[: head.start()])[1:] if (match := _HOST.fullmatch(line))]
    return hosts[0].decode("latin-1") if len(hosts) == 1 else ""
