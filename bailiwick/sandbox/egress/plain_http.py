"""Whether a tunnel's first bytes are plain HTTP, and the host that they ask for."""

from __future__ import annotations

import re

__all__ = ["begins_http", "host_header"]

# As lenient as servers are: empty lines before it, tabs, any method, any case, and HTTP/0.9, which has no version.
_REQUEST = re.compile(rb"[\r\n]*[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]+(?:https?://|[^ \t\r\n\0]+[ \t]+HTTP/)", re.IGNORECASE)
_OWN_TARGET = re.compile(rb"\S+[ \t]+[/*]")
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
    """The one Host header of the request; None while its head goes on.

    Empty when there is none or more than one, and when something else could be taken for the host: a whole address as
    the target, or a line that only some servers see.
    """
    start = data.lstrip(b"\r\n")
    end = _HEAD.search(start)
    if end is None:
        return None
    first, *lines = start[: end.start()].replace(b"\r\n", b"\n").split(b"\n")
    if not _OWN_TARGET.match(first) or any(b"\r" in line or b"\0" in line for line in lines):
        return ""
    hosts = [match[1] for line in lines if (match := _HOST.fullmatch(line))]
    return hosts[0].decode("latin-1") if len(hosts) == 1 else ""
