"""Inside, without a network, clients that know of proxies and clients that do not both come to the proxy."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bailiwick.policy import Network
from bailiwick.sandbox.egress import endpoints_of, forwards, hosts_text
from bailiwick.sandbox.inside import forward

from .conftest import Certificate, Container, Server, World

Start = Callable[..., Server]

# With -I and -S it has the standard library and its own file alone, as in a container.
PROGRAM = """
import contextlib, json, os, socket, ssl, sys, time, urllib.error, urllib.request
sys.path.insert(0, {folder!r})
import forward
config = json.loads(sys.argv[1])
pipe = os.pipe()
listeners = forward.listen(config)
forwarder = forward.serve(listeners, config)
for listener in listeners:
    listener.close()
os.environ.update(forward.environment(config))

def read_all(sock):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            data += part
    return data

def body():
{body}

print(json.dumps(body()))
os.kill(forwarder, 15)
os.waitpid(forwarder, 0)
"""


def inside(container: Container, *allow: Any, body: str, **values: Any) -> Any:
    """What ``body`` returns, run without any network but loopback, beside a forwarder."""
    endpoints = endpoints_of(Network.model_validate({"allow": allow}))
    config = {**forwards(endpoints), "socket": str(container.door.folder / "proxy.sock")}
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    for name, value in values.items():
        lines = lines.replace(f"<{name}>", str(value))
    program = PROGRAM.format(folder=str(Path(forward.__file__).parent), body=lines)
    command = ["bwrap", "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-net", "--unshare-pid"]
    command += ["--die-with-parent", "--ro-bind", str(container.door.hosts), "/etc/hosts"]
    command += [sys.executable, "-I", "-S", "-c", program, json.dumps(config)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


pytestmark = pytest.mark.bubblewrap


def test_clients_that_know_of_proxies_find_them_in_their_environment(world: World, http_server: Start) -> None:
    server = http_server()
    entry = world.local("api.x", server.port)
    told = inside(
        world.container(entry),
        entry,
        port=server.port,
        body="""
        with urllib.request.urlopen("http://api.x:<port>/") as page:
            good = page.read().decode()
        try:
            urllib.request.urlopen("http://evil.x/")
        except urllib.error.HTTPError as error:
            return good, error.code, json.load(error)["reason"]
        """,
    )
    assert told == [f"hello from api.x:{server.port}", 403, "the policy does not name evil.x:80"]


def test_clients_that_do_not_know_of_proxies_connect_by_name(
    world: World, http_server: Start, raw_server: Start, certificate: Certificate
) -> None:
    tls, mail = http_server(certificate.server()), raw_server(greeting=b"220 mail.x\r\n", answer=b"250 hello\r\n")
    entries = (world.local("api.x", tls.port), world.local("mail.x", mail.port))
    container = world.container(*entries)
    told = inside(
        container,
        *entries,
        tls=tls.port,
        mail=mail.port,
        certificate=certificate.file,
        body="""
        with socket.create_connection(("mail.x", <mail>), 10) as sock:
            greeting = sock.recv(100)
            sock.sendall(b"EHLO me\\r\\n")
            answer = sock.recv(100)
            sock.shutdown(socket.SHUT_WR)
            answer += read_all(sock)
        context = ssl.create_default_context(cafile="<certificate>")
        with socket.create_connection(("api.x", <tls>), 10) as sock:
            with context.wrap_socket(sock, server_hostname="api.x") as tls:
                tls.sendall(b"GET / HTTP/1.1\\r\\nHost: api.x\\r\\nConnection: close\\r\\n\\r\\n")
                page = read_all(tls)
        return [part.decode() for part in (greeting, answer, page)]
        """,
    )
    assert told[:2] == ["220 mail.x\r\n", "250 hello\r\n"]
    assert told[2].endswith("hello from api.x")
    assert mail.got == [b"EHLO me\r\n"]
    assert {(event.host, event.decision) for event in container.door.end()} == {
        ("api.x", "allowed"),
        ("mail.x", "allowed"),
    }


def test_low_ports_are_there_under_their_own_numbers(world: World) -> None:
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(socket.create_server(("127.0.0.77", 80)))
        except PermissionError:
            pytest.skip("this user may not bind port 80")

        def serve() -> None:
            with listener.accept()[0] as sock:
                sock.recv(1000)
                sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        entry = world.local("api.x", 80)
        world.names["api.x"] = ["127.0.0.77"]
        body = 'return urllib.request.build_opener(urllib.request.ProxyHandler({})).open("http://api.x/").status'
        assert inside(world.container(entry), entry, body=body) == 204
        thread.join()


def test_a_name_that_is_denied_closes_and_a_client_that_speaks_http_is_told_why(world: World) -> None:
    world.names["api.x"] = ["10.0.0.1"]
    container = world.container("api.x:443")
    told = inside(
        container,
        "api.x:443",
        body="""
        answers = []
        for said in (b"GET / HTTP/1.1\\r\\nHost: api.x\\r\\n\\r\\n", b"\\x16\\x03\\x01\\0\\x05hello", b""):
            with socket.create_connection(("api.x", 443), 10) as sock:
                sock.sendall(said)
                if not said:
                    sock.shutdown(socket.SHUT_WR)
                answers.append(read_all(sock).decode())
        return answers
        """,
    )
    assert told[0].startswith("HTTP/1.1 403 ")
    assert "10.0.0.1 is not a public address" in told[0]
    assert told[1:] == ["", ""]


def test_without_a_way_out_there_is_nothing(world: World) -> None:
    told = inside(
        world.container("api.x:443"),
        "api.x:443",
        body="""
        failed = []
        for place in (("1.1.1.1", 443), ("169.254.169.254", 80), ("evil.x", 80), ("127.0.0.1", 80), ("::1", 443)):
            try:
                socket.create_connection(place, 2).close()
            except OSError:
                failed.append(place[0])
        return failed, sorted(name for _, name in socket.if_nameindex())
        """,
    )
    assert told == [["1.1.1.1", "169.254.169.254", "evil.x", "127.0.0.1", "::1"], ["lo"]]


def test_the_forwarder_keeps_no_descriptor_of_the_runner_and_ends_when_it_is_told_to(world: World) -> None:
    told = inside(
        world.container("api.x:443"),
        "api.x:443",
        body="""
        time.sleep(0.2)
        kept = {}
        for name in os.listdir(f"/proc/{forwarder}/fd"):
            kept[name] = os.readlink(f"/proc/{forwarder}/fd/{name}").partition("[")[0]
        return kept
        """,
    )
    assert [told.pop(stream) for stream in ("0", "1", "2")] == ["/dev/null"] * 3
    assert sorted(told.values()) == ["anon_inode:", "socket:", "socket:"] or sorted(told.values()) == [
        "/dev/null",
        "anon_inode:",
        "socket:",
        "socket:",
    ]


def test_many_large_and_slow_conversations_at_once_arrive_whole(world: World) -> None:
    with echo_server() as port:
        entry = world.local("echo.x", port)
        container = world.container(entry, byte_limit=2**30)
        told = inside(
            container,
            entry,
            port=port,
            body="""
            import threading
            good = []
            def talk(number):
                data = bytes([number]) * 1_000_000
                with socket.create_connection(("echo.x", <port>), 30) as sock:
                    sending = threading.Thread(target=lambda: (sock.sendall(b"\\0" + data), sock.shutdown(1)))
                    sending.start()
                    if number % 3 == 0:
                        time.sleep(0.3)
                    good.append(read_all(sock) == b"\\0" + data)
                    sending.join()
            threads = [threading.Thread(target=talk, args=(number,)) for number in range(1, 31)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            # More than there is room for; once they are gone there is room again.
            socks = [socket.create_connection(("echo.x", <port>), 30) for _ in range(100)]
            for sock in socks: sock.close()
            time.sleep(1)
            talk(31)
            return good
            """,
        )
    assert told == [True] * 31


@contextlib.contextmanager
def echo_server() -> Iterator[int]:
    threads: list[threading.Thread] = []

    def echo(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            while data := sock.recv(65_536):
                sock.sendall(data)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=echo, args=(listener.accept()[0],)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        serving = threading.Thread(target=serve)
        serving.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        serving.join()
    for thread in threads:
        thread.join(20)


# What the runner is told


def test_each_name_has_an_address_of_its_own_and_localhost_keeps_its_own() -> None:
    entries = ("api.x:443", "api.x:80", "db.x:5432", "localhost:3128", "192.0.2.1:443", {"host": "A.x", "port": 1})
    endpoints = endpoints_of(Network.model_validate({"allow": entries}))
    assert forwards(endpoints) == {
        "socket": "/egress/proxy.sock",
        "proxy": ["127.0.0.1", 3129],  # the policy's own localhost:3128 comes first
        "names": [
            {"address": "127.0.1.1", "port": 443, "host": "api.x"},
            {"address": "127.0.1.1", "port": 80, "host": "api.x"},
            {"address": "127.0.1.2", "port": 5432, "host": "db.x"},
            {"address": "127.0.0.1", "port": 3128, "host": "localhost"},
            {"address": "127.0.1.3", "port": 1, "host": "a.x"},
        ],
    }
    assert hosts_text(endpoints).splitlines() == [
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost",
        "127.0.1.1\tapi.x",
        "127.0.1.2\tdb.x",
        "127.0.1.3\ta.x",
    ]


def test_without_a_policy_for_the_network_nothing_is_put_into_the_environment() -> None:
    assert forward.environment(None) == {}
    told = forward.environment(forwards(()))
    assert told["https_proxy"] == told["HTTPS_PROXY"] == "http://127.0.0.1:3128"
    assert told["NO_PROXY"] == told["no_proxy"] == "localhost,127.0.0.1,::1"
