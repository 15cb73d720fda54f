"""A real PostgreSQL through a tunnel: a protocol that is neither TLS nor HTTP, and asks for TLS in its own way."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import World

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.fixture
def postgres() -> Iterator[int]:
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed")
    programs = PROGRAMS[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="egress-pg-"))
    user = {}
    if os.getuid() == 0:  # it refuses to run as root
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    data = str(folder / "data")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    run = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder, "timeout": 60, **user}
    subprocess.run([programs / "initdb", "-D", data, "-A", "trust", "-U", "shop", "--no-sync"], **run)
    subprocess.run([programs / "pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start"], **run)
    yield port
    subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **run)
    shutil.rmtree(folder)


def test_a_query_to_a_real_postgresql_goes_through(world: World, postgres: int) -> None:
    container = world.container(world.local("db.x", postgres))
    with container.tunnel(f"db.x:{postgres}") as sock:
        sock.sendall(struct.pack(">II", 8, 80877103))  # SSLRequest
        assert sock.recv(1) == b"N"
        told = b"user\0shop\0database\0postgres\0\0"
        sock.sendall(struct.pack(">II", 8 + len(told), 196608) + told)
        messages = dict(until(sock, b"Z"))
        assert messages[b"R"] == struct.pack(">I", 0)
        query = b"select 6 * 7 as answer\0"
        sock.sendall(b"Q" + struct.pack(">I", 4 + len(query)) + query)
        messages = dict(until(sock, b"Z"))
        assert messages[b"D"] == struct.pack(">HI", 1, 2) + b"42"
        sock.sendall(b"X" + struct.pack(">I", 4))
        assert sock.recv(1) == b""
    event = container.event()
    assert (event.host, event.decision) == ("db.x", "allowed")


def until(sock: socket.socket, last: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Messages of the server, to the one of kind ``last``."""
    kind = b""
    while kind != last:
        kind = sock.recv(1)
        (size,) = struct.unpack(">I", sock.recv(4, socket.MSG_WAITALL))
        yield kind, sock.recv(size - 4, socket.MSG_WAITALL)
