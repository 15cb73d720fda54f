"""A container reaches the hosts of its policy by name, and nothing else, however it asks."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

import pytest

from .conftest import Certificate, Server, World, read_all

Start = Callable[..., Server]


def test_a_host_of_the_policy_is_reached_by_plain_http_and_told_of(world: World, http_server: Start) -> None:
    server = http_server()
    container = world.container(world.local("api.x", server.port))
    answer = container.get(f"http://api.x:{server.port}/orders?key=secret")
    assert (answer.status, answer.body) == (200, f"hello from api.x:{server.port}".encode())
    event = container.event()
    assert (event.host, event.port, event.decision, event.reason) == ("api.x", server.port, "allowed", "")
    assert (event.method, event.path, event.address) == ("GET", "/orders", "127.0.0.1")
    assert event.sent > 50
    assert event.received > 50
    assert event.start_ns < event.end_ns
    assert world.asked == ["api.x"]


def test_a_host_that_the_policy_does_not_name_is_denied_in_words_that_a_program_can_read(world: World) -> None:
    container = world.container("api.x:443")
    for asked in ("GET http://evil.x/ HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT evil.x:80 HTTP/1.1\r\nHost: a\r\n\r\n"):
        answer = container.ask(asked)
        assert answer.status == 403
        assert b"Content-Type: application/json" in answer.raw
        assert answer.denial["reason"] == "the policy does not name evil.x:80"
        assert (answer.denial["host"], answer.denial["port"]) == ("evil.x", 80)
        assert answer.denial["key"] == "sandbox.network.allow"
        assert "evil.x:80" in answer.denial["fix"]
    assert [(event.host, event.decision) for event in container.door.end()] == [("evil.x", "denied")] * 2
    assert world.asked == []  # not even the resolver was told of it


def test_another_port_of_an_allowed_host_is_another_place(world: World, http_server: Start) -> None:
    server = http_server()
    container = world.container(world.local("api.x", server.port))
    assert container.ask("CONNECT api.x:1 HTTP/1.1\r\nHost: a\r\n\r\n").status == 403
    assert server.got == []


@pytest.mark.parametrize("spelling", ["api.x", "API.X", "api.x."])
def test_every_spelling_of_a_name_is_the_same_name(world: World, http_server: Start, spelling: str) -> None:
    server = http_server()
    container = world.container(world.local("Api.X.", server.port))
    world.names["api.x"] = ["127.0.0.1"]
    assert container.get(f"http://{spelling}:{server.port}/").status == 200
    assert world.asked == ["api.x"]


@pytest.mark.parametrize(
    "host", ["0x7f.1", "2130706433", "127.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "127.0.0.1", "localhost"]
)
def test_no_spelling_of_loopback_is_a_way_around_the_list(world: World, http_server: Start, host: str) -> None:
    server = http_server()
    container = world.container(world.local("api.x", server.port))
    assert container.ask(f"CONNECT {host}:{server.port} HTTP/1.1\r\nHost: a\r\n\r\n").status in (400, 403)
    assert container.get(f"http://{host}:{server.port}/").status in (400, 403)
    assert server.got == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "169.254.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "0.1.2.3",
        "192.0.0.192",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "fd12::1",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "ff02::1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::8.8.8.8",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2001:0:a00:1::1",
        "2001:db8::1",
        "2606:4700::5efe:10.0.0.1",
        "5f00::1",
        "not an address",
    ],
)
@pytest.mark.parametrize("beside", [[], ["93.184.216.34"]])
def test_a_name_that_leads_to_an_address_that_is_not_public_is_refused(
    world: World, address: str, beside: list[str]
) -> None:
    world.names["api.x"] = [*beside, address]
    container = world.container("api.x:443")
    answer = container.ask("CONNECT api.x:443 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.status == 403
    assert "may not be reached" in answer.denial["reason"]
    event = container.event()
    assert (event.decision, event.address) == ("denied", "")


def test_the_policy_may_name_a_network_that_is_not_public_but_never_the_metadata_in_it(world: World) -> None:
    for address in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.169.254"):
        world.names["api.x"] = [address]
        wide = ["169.254.0.0/16", "100.64.0.0/10", "fd00::/8", "::ffff:0:0/96"]
        container = world.container({"host": "api.x", "port": 443, "addresses": wide})
        answer = container.ask("CONNECT api.x:443 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert "credentials of the host" in answer.denial["reason"]


def test_an_address_that_the_policy_names_itself_is_dialled_without_a_resolver(
    world: World, http_server: Start
) -> None:
    server = http_server()
    container = world.container(f"127.0.0.1:{server.port}")
    assert container.get(f"http://127.0.0.1:{server.port}/").status == 200
    assert world.asked == []


def test_a_name_is_resolved_once_and_the_address_that_was_looked_at_is_the_one_that_is_dialled(
    world: World, http_server: Start
) -> None:
    server = http_server()
    container = world.container(world.local("api.x", server.port))
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])  # rebinding: the second question gets another answer
    world.names = {}
    resolve = world.resolve

    def rebinding(host: str, port: int) -> list[str]:
        world.names = {"api.x": next(answers)}
        return resolve(host, port)

    container.door._way.dialer._resolve = rebinding  # type: ignore[attr-defined]
    assert container.get(f"http://api.x:{server.port}/").status == 200
    assert world.asked == ["api.x"]
    assert container.event().address == "127.0.0.1"


def test_a_host_that_cannot_be_reached_is_told_apart_from_one_that_may_not_be(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    container = world.container(world.local("api.x", port), "nowhere.x:443")
    answer = container.get(f"http://api.x:{port}/")
    assert answer.status == 502
    assert "Connection refused" in answer.denial["reason"]
    answer = container.ask("CONNECT nowhere.x:443 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.status == 502
    assert "Name or service not known" in answer.denial["reason"]


def test_the_second_address_of_a_host_is_tried_when_the_first_does_not_answer(world: World, http_server: Start) -> None:
    server = http_server()
    container = world.container(world.local("api.x", server.port))
    world.names["api.x"] = ["127.0.0.9", "127.0.0.1"]
    assert container.get(f"http://api.x:{server.port}/").status == 200
    assert container.event().address == "127.0.0.1"


def test_before_a_call_and_after_it_nothing_is_reached(world: World, http_server: Start) -> None:
    server = http_server()
    container = world.container(world.local("api.x", server.port), begun=False)
    url = f"http://api.x:{server.port}/"
    assert container.get(url).denial["reason"] == "no call has begun"
    container.door.begin()
    assert container.get(url).status == 200
    events = container.door.end()
    assert [event.decision for event in events] == ["denied", "allowed"]
    assert container.get(url).denial["reason"] == "no call has begun"
    assert len(server.got) == 1


def test_the_end_of_a_call_cuts_what_it_left_open(world: World, raw_server: Start) -> None:
    server = raw_server(greeting=b"220 hello\r\n")
    container = world.container(world.local("mail.x", server.port))
    with container.tunnel(f"mail.x:{server.port}") as sock:
        assert sock.recv(100) == b"220 hello\r\n"
        event = container.event()
        assert (event.decision, event.received) == ("allowed", 11)
        assert read_all(sock) == b""
    assert container.door.end() == ()


def test_two_containers_have_ways_of_their_own(world: World, http_server: Start) -> None:
    server = http_server()
    one, other = world.container(world.local("api.x", server.port)), world.container("other.x:80")
    assert one.door.folder != other.door.folder
    assert other.get(f"http://api.x:{server.port}/").status == 403
    assert one.get(f"http://api.x:{server.port}/").status == 200
    assert [event.decision for event in other.door.end()] == ["denied"]


def test_a_closed_door_leaves_no_socket_and_may_be_closed_again(world: World) -> None:
    container = world.container("api.x:443")
    folder = container.door.folder
    assert (folder / "proxy.sock").is_socket()
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "proxy.sock").stat().st_mode & 0o777 == 0o666
    container.door.close()
    container.door.close()
    assert not folder.exists()
    container.door.begin()
    assert container.door.end() == ()


# Limits on methods and paths


def test_methods_and_paths_hold_for_requests_and_no_tunnel_leads_around_them(world: World, http_server: Start) -> None:
    server = http_server()
    entry = world.local("api.x", server.port, methods=["GET", "HEAD"], paths=["/v1/", "/health"])
    container = world.container(entry)
    base = f"http://api.x:{server.port}"
    assert container.get(f"{base}/v1/orders?x=/../").status == 200
    assert container.get(f"{base}/health").status == 200
    assert container.get(f"{base}/v1/orders", method="HEAD").status == 200
    denied = container.get(f"{base}/v1/orders", method="DELETE")
    assert "only GET, HEAD is allowed there, not DELETE" in denied.denial["reason"]
    assert "below none of /v1/, /health" in container.get(f"{base}/v2/").denial["reason"]
    assert container.get(f"{base}/healthy").status == 403
    tunnel = container.ask(f"CONNECT api.x:{server.port} HTTP/1.1\r\nHost: a\r\n\r\n")
    assert tunnel.status == 403
    assert f"write {base}/ in place of https://" in tunnel.denial["fix"]
    assert len(server.got) == 3


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../admin",
        "/v1/./x",
        "/v1/%2e%2e/admin",
        "/v1/%2E%2e/admin",
        "/v1/..%2fadmin",
        "/v1/.%2e/admin",
        "/v1//admin",
        "/v1/\\..\\admin",
        "/v1/%5c..%5cadmin",
        "/v1/%252e%252e/admin",
        "/v1/..;/admin",
        "/v1/%00",
        "/v1/%zz",
        "/v1/..",
        "//v1/x",
    ],
)
def test_a_path_that_a_server_could_read_as_another_one_is_refused(world: World, http_server: Start, path: str) -> None:
    server = http_server()
    container = world.container(world.local("api.x", server.port, paths=["/v1/"]))
    assert "could be read as another one" in container.get(f"http://api.x:{server.port}{path}").denial["reason"]
    assert server.got == []


def test_what_was_checked_is_what_is_sent(world: World, http_server: Start) -> None:
    server = http_server()
    container = world.container(world.local("api.x", server.port, paths=["/v1/"]))
    assert container.get(f"http://api.x:{server.port}/%76%31/a%20b%3f?q=%76").status == 200
    assert server.got[0].startswith(b"GET /v1/a%20b%3F?q=%76 HTTP/1.1\n")


def test_headers_by_which_a_server_takes_another_method_or_path_do_not_go_on(world: World, http_server: Start) -> None:
    server = http_server()
    container = world.container(world.local("api.x", server.port, methods=["GET"], paths=["/"]))
    headers = "X-HTTP-Method-Override: DELETE\r\nX_Original_Url: /admin\r\nX-Mine: 1\r\n"
    assert container.get(f"http://api.x:{server.port}/", headers=headers).status == 200
    assert b"x-mine: 1" in server.got[0]
    assert b"DELETE" not in server.got[0]
    assert b"/admin" not in server.got[0]


def test_of_two_entries_for_one_host_either_may_allow(world: World, http_server: Start) -> None:
    server = http_server()
    entries = (
        world.local("api.x", server.port, methods=["GET"]),
        world.local("api.x", server.port, methods=["POST"], paths=["/orders"]),
    )
    container = world.container(*entries)
    base = f"http://api.x:{server.port}"
    assert container.get(f"{base}/any").status == 200
    assert container.get(f"{base}/orders", method="POST", headers="Content-Length: 2\r\n", body="{}").status == 200
    assert container.get(f"{base}/any", method="POST", headers="Content-Length: 0\r\n").status == 403


def test_the_proxy_speaks_tls_to_the_host_and_looks_at_its_certificate(
    world: World, http_server: Start, certificate: Certificate
) -> None:
    server = http_server(certificate.server())
    world.tls = certificate.client()
    allowed = (
        world.local("api.x", server.port, methods=["GET"], tls=True),
        world.local("wrong.x", server.port, methods=["GET"], tls=True),
    )
    container = world.container(*allowed)
    assert container.get(f"http://api.x:{server.port}/").body == f"hello from api.x:{server.port}".encode()
    wrong = container.get(f"http://wrong.x:{server.port}/")
    assert wrong.status == 502
    assert "TLS failed: Hostname mismatch" in wrong.denial["reason"]
    world.tls = None  # the system's certificates, to which this one does not belong
    container = world.container(*allowed)
    assert "TLS failed: self" in container.get(f"http://api.x:{server.port}/").denial["reason"]
    assert len(server.got) == 1


# Tunnels


def test_tls_through_a_tunnel_is_between_the_tool_and_the_host(
    world: World, http_server: Start, certificate: Certificate
) -> None:
    server = http_server(certificate.server())
    container = world.container(world.local("api.x", server.port))
    with (
        container.tunnel(f"api.x:{server.port}") as sock,
        certificate.client().wrap_socket(sock, server_hostname="api.x") as tls,
    ):
        tls.sendall(b"GET / HTTP/1.1\r\nHost: api.x\r\nConnection: close\r\n\r\n")
        assert b"hello from api.x" in read_all(tls)
    assert container.event().decision == "allowed"


def test_tls_that_names_another_host_is_cut_before_a_byte_goes_on(
    world: World, raw_server: Start, certificate: Certificate
) -> None:
    server = raw_server()
    container = world.container(world.local("api.x", server.port))
    with (
        container.tunnel(f"api.x:{server.port}") as sock,
        pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"),
        certificate.client().wrap_socket(sock, server_hostname="other.x"),
    ):
        pass
    event = container.event()
    assert (event.decision, event.sent) == ("denied", 0)
    assert event.reason == "the tunnel is for api.x, and TLS names 'other.x'"
    assert b"".join(server.got) == b""


def test_tls_without_a_name_is_for_address_literals_only(
    world: World, http_server: Start, certificate: Certificate
) -> None:
    server = http_server(certificate.server())
    container = world.container(world.local("api.x", server.port), f"127.0.0.1:{server.port}")
    nameless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nameless.check_hostname, nameless.verify_mode = False, ssl.CERT_NONE
    with container.tunnel(f"api.x:{server.port}") as sock, pytest.raises(ssl.SSLError):
        nameless.wrap_socket(sock)
    with container.tunnel(f"127.0.0.1:{server.port}") as sock, nameless.wrap_socket(sock) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"hello" in read_all(tls)


def test_a_client_hello_in_many_small_records_is_put_together(
    world: World, raw_server: Start, certificate: Certificate
) -> None:
    hello = client_hello("api.x")
    pieces = b"".join(b"\x16\x03\x01" + struct.pack(">H", len(part)) + part for part in chunks(hello[5:], 40))
    server = raw_server(answer=b"seen", until=pieces[-8:])
    container = world.container(world.local("api.x", server.port))
    with container.tunnel(f"api.x:{server.port}") as sock:
        for part in chunks(pieces, 33):
            sock.sendall(part)
            time.sleep(0.001)
        assert sock.recv(4) == b"seen"
    assert server.got == [pieces]
    wrong = client_hello("evil.x")
    pieces = b"".join(b"\x16\x03\x01" + struct.pack(">H", len(part)) + part for part in chunks(wrong[5:], 40))
    with container.tunnel(f"api.x:{server.port}") as sock:
        sock.sendall(pieces)
        assert read_all(sock).startswith(b"\x15\x03")
    assert container.door.end()[-1].sent == 0


def test_plain_http_in_a_tunnel_must_name_the_host_of_the_tunnel(world: World, http_server: Start) -> None:
    server = http_server()
    container = world.container(world.local("api.x", server.port))
    to = f"api.x:{server.port}"
    for host in ("api.x", to, "API.x."):
        with container.tunnel(to) as sock:
            sock.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert b"hello" in read_all(sock)
    for request in (
        "GET / HTTP/1.1\r\nHost: evil.x\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: evil.x\r\n\r\n",
        "GET\t/\tHTTP/1.1\r\nHost: evil.x\r\n\r\n",
        "get / http/1.1\nhost:evil.x\n\n",
        "GET / HTTP/1.1\r\nHost: api.x\r\nHost: evil.x\r\n\r\n",
        "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        f"GET http://evil.x/ HTTP/1.1\r\nHost: {to}\r\n\r\n",
        "GET http://evil.x/\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\rHost: evil.x\r\nHost: api.x\r\n\r\n",
        "GET //evil.x/ HTTP/1.1\nX: \0\nHost: api.x\n\n",
        "GET evil.x HTTP/1.1\r\nHost: api.x\r\n\r\n",
        "FROBNICATE / HTTP/1.1\r\nHost: api.x:1\r\n\r\n",
    ):
        with container.tunnel(to) as sock:
            sock.sendall(request.encode())
            answer = read_all(sock)
            assert answer.startswith(b"HTTP/1.1 403 "), request
            assert b'"egress_denied"' in answer
    assert len(server.got) == 3


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        (b"220 mail.x ESMTP\r\n", b"EHLO tool.example\r\n"),
        (b"SSH-2.0-OpenSSH_9\r\n", b"SSH-2.0-tool\r\n"),
        (b"", b"*1\r\n$4\r\nPING\r\n"),
        (b"", b"PING\r\n"),
        (b"", b"get key\r\n"),
        (b"", struct.pack(">II", 8, 80877103)),  # PostgreSQL's SSLRequest
        (b"", b"\x00\x03\x00\x00"),
        (b"", b"\x80\x2e\x01\x03\x01"),
        (b"J\0\0\0\x0a8.0\0", b"\x16\x01\0\x01\x85\xa6\xff\x19" + bytes(270)),  # a MySQL login of 278 bytes
        (b"", b"OPTIONS rtsp://cam.x/1 RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        (b"", "žluť".encode()),
    ],
)
def test_other_protocols_pass_untouched_and_the_server_may_speak_first(
    world: World, raw_server: Start, greeting: bytes, said: bytes
) -> None:
    server = raw_server(greeting=greeting, answer=b"answer")
    container = world.container(world.local("db.x", server.port))
    with container.tunnel(f"db.x:{server.port}") as sock:
        assert sock.recv(len(greeting), socket.MSG_WAITALL) == greeting if greeting else True
        for byte in chunks(said, 1):
            sock.sendall(byte)
            time.sleep(0.002)
        assert sock.recv(6, socket.MSG_WAITALL) == b"answer"
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""
    assert server.got == [said]


def test_what_a_server_sends_after_the_clients_end_still_arrives_whole(world: World) -> None:
    content = bytes(range(256)) * 20_000

    def serve() -> None:
        with listener.accept()[0] as sock:
            assert read_all(sock) == b"\x00give"
            sock.sendall(content)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        container = world.container(world.local("api.x", port))
        with container.tunnel(f"api.x:{port}") as sock:
            sock.sendall(b"\x00give")
            sock.shutdown(socket.SHUT_WR)
            time.sleep(0.2)  # a client that is slow to read
            assert read_all(sock) == content
        thread.join()
    event = container.event()
    assert (event.sent, event.received) == (5, len(content))


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def client_hello(name: str) -> bytes:
    """What OpenSSL sends first."""
    out = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()
