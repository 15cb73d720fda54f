"""A proxy with its real socket, and real servers on loopback that stand for hosts far away."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bailiwick.policy import Network
from bailiwick.sandbox.egress import Bounds, Door, EgressEvent, EgressProxy, endpoints_of

LOOPBACK = ("127.0.0.0/8",)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back over the socket until it was closed."""

    raw: bytes

    @property
    def status(self) -> int:
        return int(self.raw.split(b" ", 2)[1])

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def denial(self) -> dict[str, Any]:
        told = json.loads(self.body)
        assert told["error"] == "egress_denied"
        assert set(told) == {"error", "host", "port", "reason", "key", "fix"}
        assert told["fix"]
        return told


@dataclass(frozen=True, kw_only=True)
class Container:
    """What a container has: a folder with a socket in it."""

    door: Door

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(str(self.door.folder / "proxy.sock"))
            sock.settimeout(20)
        except BaseException:
            sock.close()
            raise
        return sock

    def ask(self, text: str | bytes) -> Answer:
        """Send it and read to the end."""
        with self.connect() as sock:
            with contextlib.suppress(BrokenPipeError):  # it may have answered, and closed, before it was asked
                sock.sendall(text.encode() if isinstance(text, str) else text)
            return Answer(raw=read_all(sock))

    def get(self, url: str, *, method: str = "GET", headers: str = "", body: str = "") -> Answer:
        return self.ask(f"{method} {url} HTTP/1.1\r\nHost: ignored\r\n{headers}\r\n{body}")

    @contextlib.contextmanager
    def tunnel(self, to: str) -> Iterator[socket.socket]:
        with self.connect() as sock:
            sock.sendall(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(1)
            assert head.startswith(b"HTTP/1.1 200 "), head
            yield sock

    def event(self) -> EgressEvent:
        """The one connection of the call, which is over now."""
        (event,) = self.door.end()
        return event


def read_all(sock: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65_536):
            data += part
    return data


@dataclass(kw_only=True)
class World:
    """Names that lead to addresses, and containers that may reach some of them."""

    folder: Path
    names: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    asked: list[str] = field(default_factory=list[str])
    """Names that were resolved, each time."""
    tls: ssl.SSLContext | None = None
    proxies: list[EgressProxy] = field(default_factory=list[EgressProxy])

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.names[host]

    def container(self, *allow: Any, byte_limit: int = 2**24, begun: bool = True, **bounds: Any) -> Container:
        proxy = EgressProxy(self.folder, resolve=self.resolve, tls=self.tls, bounds=Bounds(**bounds))
        self.proxies.append(proxy)
        network = Network.model_validate({"allow": allow})
        door = proxy.open(endpoints_of(network), byte_limit=byte_limit)
        if begun:
            door.begin()
        return Container(door=door)

    def local(self, host: str, port: int, **more: Any) -> dict[str, Any]:
        """An entry for a name that leads to this machine."""
        self.names.setdefault(host, ["127.0.0.1"])
        return {"host": host, "port": port, "addresses": LOOPBACK, **more}


@pytest.fixture
def world() -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="egress-"))  # short, since a socket's path is
    made = World(folder=folder)
    yield made
    for proxy in made.proxies:
        proxy.close()
    left = list(folder.iterdir())
    shutil.rmtree(folder)
    assert left == []


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server on loopback, and what reached it."""

    port: int
    got: list[bytes]
    """Of a raw server, what each connection sent; of one that speaks HTTP, each request line and its headers."""


@pytest.fixture
def raw_server() -> Iterator[Callable[..., Server]]:
    """Serves each connection with a function of its socket; first it says ``greeting``."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(answer: bytes = b"", greeting: bytes = b"", until: bytes = b"") -> Server:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        got: list[bytes] = []

        def one(sock: socket.socket) -> None:
            at = len(got)
            got.append(b"")
            with sock, contextlib.suppress(OSError):
                sock.settimeout(20)
                sock.sendall(greeting)
                answered = False
                while part := sock.recv(65_536):
                    got[at] += part
                    if answer and not answered and (not until or until in got[at]):
                        answered = True
                        sock.sendall(answer)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=one, args=(listener.accept()[0],)))
                    threads[-1].start()

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return Server(port=listener.getsockname()[1], got=got)

    yield start
    for listener in listeners:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(20)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.got.append(f"{self.requestline}\n{self.headers}".encode() + body)  # type: ignore[attr-defined]
        content = b"hello from " + self.headers["Host"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Keep-Alive", "timeout=5")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def http_server() -> Iterator[Callable[..., Server]]:
    """A real HTTP/1.1 server; with ``tls`` behind a certificate."""
    servers: list[ThreadingHTTPServer] = []

    def start(tls: ssl.SSLContext | None = None) -> Server:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler, bind_and_activate=True)
        server.got = []  # type: ignore[attr-defined]
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return Server(port=server.server_port, got=server.got)  # type: ignore[attr-defined]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A server's certificate, which signs for itself."""

    file: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.file))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """For api.x, other.x and 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "api.x")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("api.x"), x509.DNSName("other.x"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("certificate") / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return Certificate(file=file)
