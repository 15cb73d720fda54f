"""A tool's file that misuses the way out that its policy gives it.

Runs inside a sandbox only; ``going_out.py`` says what must come of it.
"""

# ruff: noqa: S108

import contextlib
import os
import socket
import ssl
from pathlib import Path
from typing import Any

from bailiwick import tool


def proxy() -> socket.socket:
    """A connection to the proxy's own port."""
    host, _, port = os.environ["HTTP_PROXY"].removeprefix("http://").rstrip("/").rpartition(":")
    return socket.create_connection((host, int(port)), 3)


def say(data: bytes, *, inside: str = "") -> str:
    """The first line that is answered to ``data``, by the proxy or ``inside`` a tunnel to a place."""
    with proxy() as way:
        try:
            if inside:
                way.sendall(f"CONNECT {inside} HTTP/1.1\r\nHost: {inside}\r\n\r\n".encode())
                if not way.recv(4096).startswith(b"HTTP/1.1 200"):
                    return "no tunnel"
            way.sendall(data)
            return way.recv(4096).partition(b"\r\n")[0].decode(errors="replace")
        except OSError as error:
            return type(error).__name__


@tool
def go_to(places: list[str]) -> dict[str, str]:
    """Ask for tunnels, and for pages, at every place."""
    told: dict[str, str] = {}
    for place in places:
        told[f"CONNECT {place}"] = say(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        told[f"GET {place}"] = say(
            f"GET http://{place}/ HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n".encode()
        )
    return told


@tool
def name_another_host(place: str, other: str) -> str:
    """Open a tunnel that is allowed, and ask for another host in it, by TLS."""
    with proxy() as way:
        way.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        if not way.recv(4096).startswith(b"HTTP/1.1 200"):
            return "no tunnel"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            context.wrap_socket(way, server_hostname=other).close()
        except OSError as error:
            return type(error).__name__
    return "a handshake"


@tool
def smuggle(place: str, other: str) -> dict[str, str]:
    """Hide another host, or a second request, in a request that is allowed."""
    whole, own, end = f"http://{place}/", f"Host: {place}\r\n", "Connection: close\r\n\r\n"
    theirs = f"Host: {other}\r\n"
    second = f"GET http://{other}/ HTTP/1.1\r\n{theirs}\r\n"
    heads = {
        "another Host": f"GET {whole} HTTP/1.1\r\n{theirs}{end}",
        "Host twice": f"GET {whole} HTTP/1.1\r\n{own}{theirs}{end}",
        "Host twice, theirs first": f"GET {whole} HTTP/1.1\r\n{theirs}{own}{end}",
        "Host with a space": f"GET {whole} HTTP/1.1\r\n{own}Host : {other}\r\n{end}",
        "Host folded": f"GET {whole} HTTP/1.1\r\n{own}X: y\r\n {theirs}{end}",
        "Host after a bare CR": f"GET {whole} HTTP/1.1\r\n{own}X: y\r{theirs}{end}",
        "Host after a bare LF": f"GET {whole} HTTP/1.1\r\n{own}X: y\n{theirs}{end}",
        "Host taken off": f"GET {whole} HTTP/1.1\r\n{theirs}Connection: host, close\r\n\r\n",
        "CR LF in the path": f"GET {whole}a HTTP/1.1\r\n{theirs}X: HTTP/1.1\r\n{own}{end}",
        "a path within the path": f"GET {whole} HTTP/1.1 HTTP/1.1\r\n{own}{end}",
        "escaped CR LF": f"GET {whole}a%0d%0aHost:%20{other}%0d%0a HTTP/1.1\r\n{own}{end}",
        "somebody before the host": f"GET http://{place}@{other}/ HTTP/1.1\r\n{own}{end}",
        "the host before somebody": f"GET http://{other}@{place}/ HTTP/1.1\r\n{own}{end}",
        "a second request": f"GET {whole} HTTP/1.1\r\n{own}\r\n{second}",
        "a body that is a request": f"GET {whole} HTTP/1.1\r\n{own}Content-Length: 0\r\n\r\n{second}",
        "lengths twice": f"POST {whole} HTTP/1.1\r\n{own}Content-Length: 5\r\nContent-Length: 0\r\n\r\n{second}",
        "a length and chunks": f"POST {whole} HTTP/1.1\r\n{own}Content-Length: 5\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{second}",
        "chunks in disguise": f"POST {whole} HTTP/1.1\r\n{own}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{second}",
    }
    told = {"as it should be": say(f"GET {whole} HTTP/1.1\r\n{own}{end}".encode())}
    return told | {name: say(head.encode()) for name, head in heads.items()}


@tool
def smuggle_inside(place: str, other: str) -> dict[str, str]:
    """Open a tunnel that is allowed, and ask for another host in it, by plain HTTP."""
    own, theirs, end = f"Host: {place}\r\n", f"Host: {other}\r\n", "Connection: close\r\n\r\n"
    heads = {
        "as it should be": f"GET / HTTP/1.1\r\n{own}{end}",
        "another Host": f"GET / HTTP/1.1\r\n{theirs}{end}",
        "Host twice": f"GET / HTTP/1.1\r\n{own}{theirs}{end}",
        "Host after a bare CR": f"GET / HTTP/1.1\r\n{own}X: y\r{theirs}{end}",
        "another whole address": f"GET http://{other}/ HTTP/1.1\r\n{own}{end}",
        "empty lines first": f"\r\n\r\nGET / HTTP/1.1\r\n{theirs}{end}",
    }
    return {name: say(head.encode(), inside=place) for name, head in heads.items()}


@tool
def find_sockets() -> dict[str, Any]:
    """Every unix socket that can be seen, and which one leads out."""
    seen: list[str] = []
    for top in ("/egress", "/tmp", "/run", "/var", "/work", "/dev"):
        for folder, _, files in os.walk(top):
            seen += [str(Path(folder, name)) for name in files if Path(folder, name).is_socket()]
    own = Path("/egress/proxy.sock").stat()
    others: list[str] = []
    for root in Path("/proc").glob("[0-9]*/root"):
        with contextlib.suppress(OSError):
            others += [
                str(each)
                for each in (root / "egress").iterdir()
                if each.is_socket() and not each.samefile("/egress/proxy.sock")
            ]
    return {
        "seen": seen,
        "own": [own.st_dev, own.st_ino, own.st_ctime_ns],  # an inode alone is given out again
        "others": others,
        "abstract": Path("/proc/net/unix").read_text().count("@"),
    }
