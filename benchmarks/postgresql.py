"""A PostgreSQL server of one's own for as long as a block lasts: in a temporary folder, on a free port, then gone."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["fresh_database", "temporary_postgresql"]

STARTING_SECONDS = 60.0


@contextmanager
def temporary_postgresql() -> Generator[str]:
    """Give the server's address, ``postgresql://…`` with its first database. Raises RuntimeError without the package.

    The server refuses to run as root and is then run as ``postgres``, the user that its package makes.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="bailiwick-postgresql-"))
    user = "postgres" if os.getuid() == 0 else None
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    try:
        making = [programs / "initdb", "-D", folder / "data", "-U", "desk", "--auth=trust", "--no-instructions"]
        subprocess.run(making, check=True, user=user, cwd=folder, capture_output=True)
        port = _free_port()
        command = [programs / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder, "-h", "127.0.0.1"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait(programs, port, server, folder / "log")
            yield f"postgresql://desk@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # its "fast" shutdown: connections are ended
            server.wait(timeout=STARTING_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fresh_database(server: str, name: str) -> str:
    """Make an empty database on ``server`` and give its address. Raises psycopg's errors."""
    from psycopg import connect, sql

    with connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return f"{server.rpartition('/')[0]}/{name}"


def _programs() -> Path:
    # Debian keeps the server's programs out of the path, one folder for each version.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in (*folders, *map(Path, os.environ.get("PATH", "").split(os.pathsep))):
        if all((folder / program).is_file() for program in ("initdb", "postgres", "pg_isready")):
            return folder
    raise RuntimeError("PostgreSQL's server is not installed; install it with: apt-get install postgresql")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def _wait(programs: Path, port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + STARTING_SECONDS
    asking = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(asking, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > ends:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
