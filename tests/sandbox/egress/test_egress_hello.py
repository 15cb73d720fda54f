"""The reader of a TLS client's first message: it finds the name, or says no; it never takes one for another."""

from __future__ import annotations

import ssl
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.sandbox.egress.client_hello import HelloError, server_name
from bailiwick.sandbox.egress.denial import Denied
from bailiwick.sandbox.egress.guard import may_pass


def vector(data: bytes, size: int) -> bytes:
    return len(data).to_bytes(size) + data


def extension(kind: int, content: bytes) -> bytes:
    return struct.pack(">H", kind) + vector(content, 2)


def sni(*names: bytes, kind: int = 0) -> bytes:
    return extension(0, vector(b"".join(bytes([kind]) + vector(name, 2) for name in names), 2))


def message(*extensions: bytes, after: bytes = b"", kind: int = 1) -> bytes:
    body = b"\x03\x03" + bytes(32) + vector(b"", 1) + vector(b"\x13\x01", 2) + vector(b"\0", 1)
    return bytes([kind]) + vector(body + vector(b"".join(extensions), 2) + after, 3)


def records(handshake: bytes, size: int = 2**14) -> bytes:
    parts = [handshake[at : at + size] for at in range(0, len(handshake), size)]
    return b"".join(b"\x16\x03\x01" + vector(part, 2) for part in parts)


NAME = sni(b"api.x")


@given(st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z]{1,10}){0,3}", fullmatch=True), st.integers(1, 300))
def test_the_name_is_found_in_however_many_records_it_comes(name: str, size: int) -> None:
    other = (extension(0x0A0A, b""), extension(43, b"\x02\x03\x04"), extension(21, bytes(300)))
    data = records(message(other[0], sni(name.encode()), *other[1:]), size)
    assert server_name(data) == (True, name)
    assert server_name(data + b"\x14\x03\x03\0\x01\x01") == (True, name)  # early data may follow
    for end in range(0, len(data), max(1, len(data) // 50)):
        assert server_name(data[:end]) == (False, "")


@pytest.mark.parametrize(
    "data",
    [
        records(message(NAME, NAME)),
        records(message(sni(b"api.x", b"evil.x"))),
        records(message(sni(b"api.x", kind=1))),
        records(message(sni(b""))),
        records(message(sni())),
        records(message(sni("žluť.x".encode()))),
        records(message(extension(0, vector(b"\0" + vector(b"api.x", 2), 2) + b"evil"))),
        records(message(extension(0, b""))),
        records(message(NAME, extension(0xFE0D, b"\0" * 40))),
        records(message(NAME, extension(0xFFCE, b"\0" * 40))),
        records(message(NAME, after=b"\0")),
        records(message(NAME, kind=2)),
        records(message(NAME) + message(sni(b"evil.x"))),
        records(message(NAME)[:-3] + b"\xff\xff\xff"),
        b"\x16\x03\x01\0\0" + records(message(NAME)),
        b"\x15\x03\x01\0\x02\x01\0" + records(message(NAME)),
        b"\x14\x03\x01\0\x01\x01" + records(message(NAME)),
        b"\x16\x05\x01" + records(message(sni(b"evil.x")))[3:],
        b"\x15\x05\x01\0\x02\x01\0" + records(message(sni(b"evil.x"))),
        b"\x16\x05\x01\0\0" + records(message(sni(b"evil.x"))),
        b"\x16\x03\x01\x50\0",
        b"\x16\x03\x09\0\x05",
        records(message(NAME)[:20]) + b"\x17\x03\x03\0\x05hello",
        records(message(NAME, extension(21, bytes(17_000)))),
        records(b"\x01\xff\xff\xff"),
    ],
)
def test_a_hello_that_is_not_as_it_must_be_is_refused(data: bytes) -> None:
    with pytest.raises(Denied) as denied:
        assert may_pass(data, host="api.x", port=443, limit=2**14) is None
    assert denied.value.answer is not None


@given(st.binary(max_size=400))
def test_whatever_comes_the_reader_answers_or_refuses(data: bytes) -> None:
    for start in (b"", b"\x16\x03\x01", b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03" + bytes(32)):
        try:
            whole, name = server_name(start + data)
        except HelloError:
            continue
        assert whole or not name


@given(st.data())
def test_a_hello_with_one_byte_changed_is_never_taken_for_another_name(data: st.DataObject) -> None:
    good = bytearray(records(message(extension(43, b"\x02\x03\x04"), sni(b"api.x"), extension(16, b"\0\x03\x02h2"))))
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        passes = may_pass(good, host="api.x", port=443, limit=2**14)
    except Denied:
        return
    # Either more is waited for, or the name stands there where OpenSSL finds it, or it is no TLS at all.
    if passes and good[0] == 0x16 and good[1] == 3:
        assert seen_by_openssl(bytes(good)) in ("api.x", None)


def seen_by_openssl(hello: bytes) -> str | None:
    """The name that a real server takes from it; None when it takes none."""
    found: list[str | None] = [None]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _sock, name, _context: found.append(name)
    incoming = ssl.MemoryBIO()
    incoming.write(hello)
    server = context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)
    with pytest.raises(ssl.SSLError):
        server.do_handshake()
    return found[-1]
