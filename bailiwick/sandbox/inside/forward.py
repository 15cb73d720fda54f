"""Leads connections inside the container to the proxy's socket, for clients that know of proxies and for those that
do not.

It is a process of its own, beside the tool and with no right that the tool lacks: what may be reached is decided by
the proxy on the host. Standard library only, one thread, and bounded buffers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["environment", "listen", "serve"]

_BUFFER = 65_536
_HEAD = 16 * 2**10
_CONNECTIONS = 64
"""At once; more wait to be accepted. The proxy takes fewer, and tells so."""
_PATIENCE = 5.0
"""Seconds for which a denial waits for a client that speaks HTTP and would understand it."""
_LOCAL_NAMES = "localhost,127.0.0.1,::1"


def listen(config: Mapping[str, Any]) -> list[socket.socket]:
    """A listener for the proxy's port, then one for each name. Raises OSError when one cannot be bound.

    Called while low ports may still be bound.
    """
    places = [tuple(config["proxy"]), *((name["address"], name["port"]) for name in config["names"])]
    listeners: list[socket.socket] = []
    try:
        for place in places:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listeners.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(128)
            listener.setblocking(False)
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def environment(config: Mapping[str, Any] | None) -> dict[str, str]:
    """What tells clients of the proxy; nothing where there is none."""
    if not config:
        return {}
    address, port = config["proxy"]
    proxy = f"http://{address}:{port}"
    told = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "ALL_PROXY": proxy, "NO_PROXY": _LOCAL_NAMES}
    return told | {name.lower(): value for name, value in told.items()}


def serve(listeners: list[socket.socket], config: Mapping[str, Any]) -> int:
    """Fork a process that forwards until it is killed; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        _let_go([listener.fileno() for listener in listeners])
        openings = [b"", *(_opening(name["host"], name["port"]) for name in config["names"])]
        _Forwarder(dict(zip(listeners, openings, strict=True)), config["socket"]).run()
    finally:
        os._exit(70)


def _opening(host: str, port: int) -> bytes:
    where = f"{host}:{port}"
    return f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n\r\n".encode()


def _let_go(kept: Iterable[int]) -> None:
    """Keep nothing of the runner's: neither its descriptors, with which a reply could be forged, nor its signals."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    nothing = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    after = 3
    for descriptor in sorted(kept):
        os.closerange(after, descriptor)
        after = descriptor + 1
    os.closerange(after, os.sysconf("SC_OPEN_MAX"))


class _Link:
    """A client's connection and the one to the proxy that belongs to it."""

    def __init__(self, client: socket.socket, proxy: socket.socket, opening: bytes) -> None:
        self.client, self.proxy = client, proxy
        self.to_proxy, self.to_client = bytearray(opening), bytearray()
        self.head: bytearray | None = bytearray() if opening else None
        """The proxy's answer to the opening, until it is whole. None: bytes are passed as they come."""
        self.denial: bytes | None = None
        self.denied_at = 0.0
        self.client_ended = self.proxy_ended = False
        self.told_client = self.told_proxy = False

    def wanted(self) -> tuple[int, int]:
        """What to wait for at the client and at the proxy."""
        client = proxy = 0
        opened = self.head is None
        if not self.client_ended and (self.denial is not None or (opened and len(self.to_proxy) < _BUFFER)):
            client |= selectors.EVENT_READ
        if self.to_client:
            client |= selectors.EVENT_WRITE
        if not self.proxy_ended and self.denial is None and len(self.to_client) < _BUFFER:
            proxy |= selectors.EVENT_READ
        if self.to_proxy:
            proxy |= selectors.EVENT_WRITE
        return client, proxy

    def move(self) -> bool:
        """Read and write whatever can be. False: it is over."""
        try:
            return self._from_proxy() and self._from_client() and self._write()
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _from_proxy(self) -> bool:
        if self.proxy_ended or self.denial is not None or len(self.to_client) >= _BUFFER:
            return True
        data = _read(self.proxy)
        if data is None:
            return True
        self.proxy_ended = not data
        if self.head is None:
            self.to_client += data
            return True
        self.head += data
        return self._opened(bytes(self.head))

    def _opened(self, head: bytes) -> bool:
        """Look at the proxy's answer. What comes right behind it is the host's already."""
        start, end, rest = head.partition(b"\r\n\r\n")
        if start.startswith(b"HTTP/1.1 200 ") and end:
            self.head = None
            self.to_client += rest
            return True
        if not self.proxy_ended:
            return len(head) <= _HEAD
        if not end:
            return False
        self.denial, self.denied_at = head, time.monotonic()
        return True

    def _from_client(self) -> bool:
        if self.client_ended or (self.head is not None and self.denial is None) or len(self.to_proxy) >= _BUFFER:
            return True
        data = _read(self.client)
        if data is None:
            return True
        self.client_ended = not data
        if self.denial is None:
            self.to_proxy += data
            return True
        # Only who speaks HTTP would understand it: such a client begins with a method.
        if not data[:1].isalpha():
            return False
        with contextlib.suppress(OSError):
            self.client.send(self.denial)
            self.client.shutdown(socket.SHUT_WR)
        return False

    def _write(self) -> bool:
        for buffer, to in ((self.to_proxy, self.proxy), (self.to_client, self.client)):
            if buffer:
                with contextlib.suppress(BlockingIOError):
                    del buffer[: to.send(buffer)]
        if self.client_ended and not self.to_proxy and not self.told_proxy:
            self.told_proxy = True
            self.proxy.shutdown(socket.SHUT_WR)
        if self.proxy_ended and not self.to_client and not self.told_client and self.denial is None:
            self.told_client = True
            self.client.shutdown(socket.SHUT_WR)
        return not (self.told_proxy and self.told_client)


class _Forwarder:
    """The one loop. Each listener has what it says to the proxy first; nothing for clients that ask themselves."""

    def __init__(self, openings: dict[socket.socket, bytes], path: str) -> None:
        self._openings, self._path = openings, path
        self._selector = selectors.DefaultSelector()
        self._links: dict[_Link, tuple[int, int]] = {}
        self._accepting = False

    def run(self) -> None:
        while True:
            self._accept_or_not()
            waiting = any(link.denial is not None for link in self._links)
            touched: dict[_Link, None] = {}
            for key, _ in self._selector.select(1.0 if waiting else None):
                if isinstance(key.data, _Link):
                    touched[key.data] = None
                elif isinstance(key.fileobj, socket.socket):
                    self._accept(key.fileobj)
            for link in touched:
                self._renew(link, alive=link.move())
            if waiting:
                self._forget_denied()

    def _accept_or_not(self) -> None:
        room = len(self._links) < _CONNECTIONS
        if room != self._accepting:
            self._accepting = room
            for listener in self._openings:
                if room:
                    self._selector.register(listener, selectors.EVENT_READ)
                else:
                    self._selector.unregister(listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(0.05)
            return
        proxy = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.setblocking(False)
        proxy.setblocking(False)
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            proxy.connect(self._path)
        except OSError:
            client.close()
            proxy.close()
            return
        link = _Link(client, proxy, self._openings[listener])
        self._links[link] = (0, 0)
        self._renew(link, alive=link.move())

    def _renew(self, link: _Link, *, alive: bool) -> None:
        wanted = link.wanted() if alive else (0, 0)
        before = self._links[link]
        for sock, now, then in zip((link.client, link.proxy), wanted, before, strict=True):
            if now and then:
                self._selector.modify(sock, now, link)
            elif now:
                self._selector.register(sock, now, link)
            elif then:
                self._selector.unregister(sock)
        if alive:
            self._links[link] = wanted
            return
        del self._links[link]
        link.client.close()
        link.proxy.close()

    def _forget_denied(self) -> None:
        late = time.monotonic() - _PATIENCE
        for link in [each for each in self._links if each.denial is not None and each.denied_at < late]:
            self._renew(link, alive=False)


def _read(sock: socket.socket) -> bytes | None:
    """What is there; empty at the end; None when there is nothing now."""
    try:
        return sock.recv(_BUFFER)
    except BlockingIOError:
        return None
