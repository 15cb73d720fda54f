"""The one way out of containers: a proxy on the host, reached by a unix socket that each container has for itself."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
import ssl
import threading
from functools import cache
from pathlib import Path

from bailiwick.sandbox.egress.accept import accept
from bailiwick.sandbox.egress.account import Account
from bailiwick.sandbox.egress.bounds import Bounds
from bailiwick.sandbox.egress.connection import Way
from bailiwick.sandbox.egress.dial import Dialer, Resolve, resolve_by_system
from bailiwick.sandbox.egress.endpoint import Endpoint
from bailiwick.sandbox.egress.event import EgressEvent
from bailiwick.sandbox.egress.forwards import SOCKET_NAME, hosts_text
from bailiwick.sandbox.egress.loop import LoopThread

__all__ = ["Door", "EgressProxy"]


class Door:
    """One container's way out. It leads nowhere before ``begin`` and after ``end``."""

    def __init__(self, *, folder: Path, loop: LoopThread, way: Way, forget: set[Door]) -> None:
        self.folder = folder
        """Mounted at /egress, read-only: the socket, which anybody inside may use."""
        self.hosts = folder / "hosts"
        """Mounted at /etc/hosts, so that clients that know of no proxy find the forwarders by name."""
        self._loop, self._way, self._doors = loop, way, forget
        self._accepting: asyncio.Task[None] | None = None
        self._lock, self._closed = threading.Lock(), False
        folder.mkdir(mode=0o755)
        try:
            folder.chmod(0o755)  # whatever the umask: containers run as another user
            self.hosts.write_text(hosts_text(way.endpoints), encoding="ascii")
            self.hosts.chmod(0o644)
            self._loop.do(self._listen())
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def begin(self) -> None:
        """A call is handed over: from now on its connections are served, and counted from zero."""
        with self._lock:
            if not self._closed:
                self._loop.do(self._begin())

    def end(self) -> tuple[EgressEvent, ...]:
        """The call is over: cut its connections; what became of each, at most ``Bounds.events`` of them."""
        with self._lock:
            return () if self._closed else self._loop.do(self._end())

    def close(self) -> None:
        """Cut what is open and remove the folder. Safe to call twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._loop.do(self._stop())
        self._doors.discard(self)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _begin(self) -> None:
        self._way.account.begin()

    async def _end(self) -> tuple[EgressEvent, ...]:
        return self._way.account.end()

    async def _listen(self) -> None:
        path = self.folder / SOCKET_NAME
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            path.chmod(0o666)
            listener.listen(128)
            listener.setblocking(False)
        except BaseException:
            listener.close()
            raise
        self._accepting = asyncio.create_task(accept(listener, self._way))

    async def _stop(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        self._way.account.end()


class EgressProxy:
    """The ways out of all containers of one sandbox, in one thread that starts with the first of them.

    ``folder``: this user's alone; each container's lies in it. ``resolve`` and ``tls`` take the place of the system's
    resolver and of its certificates.
    """

    def __init__(
        self,
        folder: Path,
        *,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._folder, self._bounds = folder, bounds or Bounds()
        # Loading the system's certificates takes a while, and most containers need none.
        self._dialer = Dialer(resolve or resolve_by_system, (lambda: tls) if tls else _system_tls, self._bounds)
        self._lock = threading.Lock()
        self._loop: LoopThread | None = None
        self._doors: set[Door] = set()
        self._closed = False

    def open(self, endpoints: tuple[Endpoint, ...], *, byte_limit: int) -> Door:
        """A way out to ``endpoints``, and to nothing else. ``byte_limit``: of one call, both directions together.

        Blocks for a moment. Raises OSError when no socket can be made in the folder, RuntimeError after ``close``.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the egress proxy is closed")
            if self._loop is None:
                self._loop = LoopThread("bailiwick-egress")
            account = Account(byte_limit=byte_limit, bounds=self._bounds)
            way = Way(endpoints=endpoints, account=account, dialer=self._dialer, bounds=self._bounds)
            door = Door(
                folder=self._folder / f"egress-{secrets.token_hex(6)}", loop=self._loop, way=way, forget=self._doors
            )
            self._doors.add(door)
            return door

    def close(self) -> None:
        """Close every door and end the thread. Safe to call twice."""
        with self._lock:
            self._closed = True
            for door in tuple(self._doors):
                door.close()
            if self._loop is not None:
                self._loop.close()
                self._loop = None
            self._dialer.close()


@cache
def _system_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
