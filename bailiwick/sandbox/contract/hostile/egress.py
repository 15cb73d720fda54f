"""A tool's file that misuses the way out that its policy gives it.

Runs inside a sandbox only; ``going_out.py`` says what must come of it.
"""

# ruff: noqa: S108

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


def say(data: bytes) -> str:
    """The first line that the proxy answers to ``data``."""
    with proxy() as way:
        way.sendall(data)
        return way.recv(4096).partition(b"\r\n")[0].decode(errors="replace")


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
def find_sockets() -> dict[str, Any]:
    """Every unix socket that can be seen, and which one leads out."""
    seen: list[str] = []
    for top in ("/egress", "/tmp", "/run", "/var", "/work", "/dev"):
        for folder, _, files in os.walk(top):
            seen += [str(Path(folder, name)) for name in files if Path(folder, name).is_socket()]
    own = Path("/egress/proxy.sock").stat()
    return {"seen": seen, "own": [own.st_dev, own.st_ino], "abstract": Path("/proc/net/unix").read_text().count("@")}
