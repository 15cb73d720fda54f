"""However a container behaves, the proxy gives it so much and no more, and passes on one request and not two."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import pytest

from .conftest import Container, Server, World, read_all

Start = Callable[..., Server]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def ended(sock: socket.socket, within: float = 5) -> bool:
    """Whether the other side closes it."""
    sock.settimeout(within)
    with contextlib.suppress(ConnectionResetError):
        while sock.recv(65_536):
            pass
    return True


def events_soon(container: Container, many: int) -> None:
    """Wait until so many connections are over."""
    account = container.door._way.account  # type: ignore[attr-defined]
    for _ in range(500):
        if len(account._events) >= many:
            return
        time.sleep(0.01)


# Bytes


def test_the_bytes_of_one_call_are_counted_over_all_its_connections_and_both_directions(
    world: World, raw_server: Start
) -> None:
    server = raw_server(answer=b"x" * 400, until=b"\x00" * 500)
    container = world.container(world.local("api.x", server.port), byte_limit=2000)
    to = f"api.x:{server.port}"
    with container.tunnel(to) as one, container.tunnel(to) as other:
        for sock in (one, other):
            sock.sendall(b"\x00" * 500)
            assert len(sock.recv(400, socket.MSG_WAITALL)) == 400
        one.sendall(b"\x00" * 201)  # 1800 went over, so this is one byte too many
        assert ended(one)
        assert ended(other)
        answer = container.ask(f"CONNECT {to} HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.status == 413
    assert answer.denial["key"] == "sandbox.network.bytes"
    assert "2000 bytes" in answer.denial["reason"]
    events = container.door.end()
    assert [event.decision for event in events] == ["denied"] * 3
    assert sum(event.sent + event.received for event in events) == 1800
    assert [len(got) for got in server.got] == [500, 500]
    container.door.begin()  # the next call begins with nothing used
    with container.tunnel(to) as sock:
        sock.sendall(b"\x00" * 500)
        assert len(sock.recv(400, socket.MSG_WAITALL)) == 400


def test_a_response_that_is_too_large_is_cut_and_a_request_that_is_too_large_is_answered(
    world: World, raw_server: Start
) -> None:
    large = raw_server(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 99_999, until=b"\r\n\r\n")
    container = world.container(world.local("api.x", large.port), byte_limit=5000)
    answer = container.get(f"http://api.x:{large.port}/")
    assert len(answer.raw) < 1000
    assert container.event().decision == "denied"
    container.door.begin()
    body = "x" * 9000
    answer = container.get(f"http://api.x:{large.port}/", method="POST", headers="Content-Length: 9000\r\n", body=body)
    assert answer.status == 413
    assert answer.denial["key"] == "sandbox.network.bytes"


# Connections, time, heads


def test_one_connection_too_many_is_told_so_and_room_is_made_by_closing_one(world: World, raw_server: Start) -> None:
    server = raw_server(greeting=b"!")
    container = world.container(world.local("api.x", server.port), connections=3)
    to = f"api.x:{server.port}"
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(container.tunnel(to)) for _ in range(3)]
        answer = container.ask(f"CONNECT {to} HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.status == 429
        assert answer.denial["reason"] == "3 connections are open already"
        held[0].close()
        events_soon(container, 2)
        stack.enter_context(container.tunnel(to))
    assert [event.decision for event in container.door.end()].count("denied") == 1


def test_a_container_that_does_nothing_but_connect_harms_neither_the_proxy_nor_another_container(
    world: World, http_server: Start
) -> None:
    server = http_server()
    flooding = world.container(world.local("api.x", server.port), connections_per_second=200)
    other = world.container(world.local("api.x", server.port))
    with contextlib.ExitStack() as stack:
        for _ in range(32):
            stack.enter_context(flooding.connect()).sendall(b"G")
        began = time.monotonic()
        many = 0
        while time.monotonic() - began < 1.5:
            with flooding.connect():
                many += 1
        assert other.get(f"http://api.x:{server.port}/").status == 200
    # What was accepted in that time, and what waits in the listener's queue.
    assert many < 200 + 200 * 1.5 + 129 + 20
    events = flooding.door.end()
    assert len(events) == 64
    assert events[-1].host == ""
    assert "more connections, " in events[-1].reason


def test_a_head_that_comes_slowly_or_is_too_long_is_cut_off(world: World) -> None:
    container = world.container("api.x:443", header_seconds=0.3)
    with container.connect() as sock:
        began = time.monotonic()
        for byte in b"GET http://api.x:443/ HTTP/1.1\r\nHost: ":
            with contextlib.suppress(OSError):
                sock.sendall(bytes([byte]))
            time.sleep(0.02)
        assert read_all(sock).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 3
    long = container.ask("GET http://api.x:443/ HTTP/1.1\r\nHost: a\r\nX: " + "x" * 20_000 + "\r\n\r\n")
    assert long.status == 431


def test_a_first_message_in_a_tunnel_that_never_ends_is_cut_off(world: World, raw_server: Start) -> None:
    server = raw_server()
    container = world.container(world.local("api.x", server.port), header_seconds=0.3)
    for said in (
        b"GET / HT",
        b"\x16\x03\x01\x01\x00\x01",
        b"P",
        b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc" + b"x" * 15_000,
    ):
        with container.tunnel(f"api.x:{server.port}") as sock:
            sock.sendall(said)
            assert ended(sock)
    with container.tunnel(f"api.x:{server.port}") as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000)
        assert ended(sock)
    events = container.door.end()
    assert [(event.decision, event.sent) for event in events] == [("denied", 0)] * 5
    assert b"".join(server.got) == b""


def test_a_tunnel_on_which_nothing_moves_is_closed_and_one_on_which_something_does_is_not(
    world: World, raw_server: Start
) -> None:
    server = raw_server(greeting=b"!")
    container = world.container(world.local("api.x", server.port), idle_seconds=0.5)
    with container.tunnel(f"api.x:{server.port}") as idle, container.tunnel(f"api.x:{server.port}") as busy:
        for _ in range(10):
            time.sleep(0.1)
            busy.sendall(b"\x00")
        assert ended(idle, within=0.2)
        busy.sendall(b"\x00")
    events_soon(container, 2)
    closed, _ = container.door.end()
    assert (closed.decision, closed.reason) == ("allowed", "closed after 0.5 s without a byte")


def test_a_host_that_never_answers_a_request_is_given_up_with_an_answer(world: World, raw_server: Start) -> None:
    server = raw_server()
    container = world.container(world.local("api.x", server.port), idle_seconds=0.3)
    answer = container.get(f"http://api.x:{server.port}/")
    assert answer.status == 504
    assert "without a byte" in answer.denial["reason"]


def test_a_resolver_that_hangs_holds_up_nobody_else(world: World, http_server: Start) -> None:
    server = http_server()
    container = world.container(world.local("api.x", server.port), world.local("slow.x", 443), connect_seconds=0.5)
    go_on = threading.Event()
    resolve = world.resolve

    def hanging(host: str, port: int) -> list[str]:
        if host == "slow.x":
            go_on.wait(5)
        return resolve(host, port)

    container.door._way.dialer._resolve = hanging  # type: ignore[attr-defined]
    with container.connect() as sock:
        sock.sendall(b"CONNECT slow.x:443 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert container.get(f"http://api.x:{server.port}/").status == 200
        assert read_all(sock).startswith(b"HTTP/1.1 502 ")
    go_on.set()


def test_a_client_that_does_not_read_does_not_fill_the_hosts_memory(world: World) -> None:
    sent = 0

    def serve() -> None:
        nonlocal sent
        with listener.accept()[0] as sock, contextlib.suppress(OSError):
            sock.settimeout(1)
            while sent < 2**26:
                sent += sock.send(b"x" * 65_536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        container = world.container(world.local("api.x", port), byte_limit=2**30)
        with container.tunnel(f"api.x:{port}"):
            thread.join(10)
    assert sent < 2**25
    assert container.event().received < 2**22


# Smuggling


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET ", 400),
        ("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        ("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400),
        ("POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        ("POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        ("GET {} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET {} HTTP/1.1\r\nX: 1\r\n\r\n", 400),
        ("GET {} HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400),
        ("GET {}\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: api.x\r\n\r\n", 400),
        ("GET https://api.x/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://user@api.x/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://api.x\\@evil.x/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT api.x:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde", 400),
        ("CONNECT api.x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("\x16\x03\x01\x00\x05hello\r\n\r\n", 400),
    ],
)
def test_a_request_that_two_readers_could_read_in_two_ways_goes_to_nobody(
    world: World, raw_server: Start, request_: str, status: int
) -> None:
    server = raw_server(answer=CHUNKED)
    container = world.container(world.local("api.x", server.port))
    answer = container.ask(request_.replace("{}", f"http://api.x:{server.port}/"))
    assert answer.status == status
    assert answer.denial["reason"]
    assert b"".join(server.got) == b""


def test_a_request_is_written_anew_without_what_was_for_the_proxy_alone(world: World, raw_server: Start) -> None:
    server = raw_server(answer=CHUNKED, until=b"0\r\n\r\n")
    container = world.container(world.local("api.x", server.port))
    headers = (
        "Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\nConnection: x-mine, close\r\n"
        "X-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: websocket\r\nAccept: */*\r\n"
        "Transfer-Encoding: chunked\r\n"
    )
    body = "3;ext=1\r\nabc\r\n0\r\nTrailer: 1\r\n\r\nGET http://api.x/second HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = container.get(f"http://api.x:{server.port}/a?b", method="POST", headers=headers, body=body)
    assert answer.raw.count(b"HTTP/1.1 ") == 1
    assert b"5\r\nhello\r\n0\r\n\r\n" in answer.raw
    head, _, sent = server.got[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /a?b HTTP/1.1",
        f"host: api.x:{server.port}".encode(),
        b"accept: */*",
        b"transfer-encoding: chunked",
        b"connection: close",
    ]
    assert sent == b"3\r\nabc\r\n0\r\n\r\n"
    assert len(server.got) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    ],
)
def test_a_response_that_is_not_as_http_has_it_goes_to_nobody(world: World, raw_server: Start, answer: bytes) -> None:
    server = raw_server(answer=answer)
    container = world.container(world.local("api.x", server.port))
    got = container.get(f"http://api.x:{server.port}/")
    assert got.status == 502
    assert "did not answer as HTTP has it" in got.denial["reason"]


def test_a_client_that_waits_for_100_is_told_to_go_on_and_one_of_http_1_0_is_served(
    world: World, raw_server: Start
) -> None:
    server = raw_server(answer=b"HTTP/1.1 103 Early Hints\r\n\r\n" + CHUNKED, until=b"abc")
    container = world.container(world.local("api.x", server.port))
    with container.connect() as sock:
        url = f"http://api.x:{server.port}/"
        sock.sendall(f"PUT {url} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode())
        assert sock.recv(12) == b"HTTP/1.1 100"
        sock.sendall(b"abc")
        assert b"hello" in read_all(sock)
    old = container.ask(f"POST {url} HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
    assert old.body == b"hello"
    assert b"chunked" not in old.raw


def test_a_response_that_ends_with_its_connection_arrives_whole(world: World) -> None:
    content = b"x" * 3_000_000

    def serve() -> None:
        with listener.accept()[0] as sock:
            sock.recv(65_536)
            sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + content)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        container = world.container(world.local("api.x", port))
        answer = container.ask(f"GET http://api.x:{port}/ HTTP/1.0\r\n\r\n")
        thread.join()
    assert answer.body == content
