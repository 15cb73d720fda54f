"""Which host a TLS client asks for, read from its first message before a byte of it goes on.

Only what is needed is read, and what is not as it must be is an error: a lenient reader here and a lenient server
there could see two different names.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ALERT", "HelloError", "begins_tls", "server_name"]

ALERT: Final = bytes.fromhex("15 0301 0002 02 70")
"""``unrecognized_name``, so that a client's error says more than that the connection was closed."""

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ENCRYPTED_HELLO, _ENCRYPTED_NAME = 0, 0xFE0D, 0xFFCE
_RECORD_BYTES = 2**14


class HelloError(Exception):
    """Raised for a ClientHello that is malformed, too long, or hides the name."""


def begins_tls(data: bytes | bytearray) -> bool | None:
    """Whether these first bytes are a TLS record of whatever kind; None while too few are there.

    Some servers, Go's among them, take a first record of any version below 16. Others than 3 are no client's, but a
    MySQL login of some lengths begins like that too; what is in the record tells them apart.
    """
    if not data:
        return None
    if not 20 <= data[0] <= 24:
        return False
    if len(data) < 2:
        return None
    if data[1] == 3 or data[1] >= 16:
        return data[1] == 3
    return None if len(data) < 6 else data[5] in (1, 2) or 20 <= data[5] <= 24


def server_name(data: bytes | bytearray, *, limit: int = 2**14) -> tuple[bool, str]:
    """``(whole, name)``: whether the ClientHello is all there, and the name it asks for (empty: none).

    ``limit``: bytes of the message, however many records it comes in. Raises HelloError as soon as it is wrong.
    """
    message = bytearray()
    rest = memoryview(bytes(data))
    while True:
        if len(message) >= 4:
            if message[0] != _CLIENT_HELLO:
                raise HelloError("the first TLS message is no ClientHello")
            size = 4 + int.from_bytes(message[1:4])
            if size > limit:
                raise HelloError(f"the ClientHello is longer than {limit} bytes")
            if len(message) > size:
                raise HelloError("something comes with the ClientHello in one record")
            if len(message) == size:
                return True, _name(_Reader(bytes(message[4:])))
        if len(rest) < 5:
            if len(rest) >= 1 and rest[0] != _HANDSHAKE:
                raise HelloError("the first TLS record is no handshake")
            return False, ""
        length = int.from_bytes(rest[3:5])
        if rest[0] != _HANDSHAKE or rest[1] != 3 or rest[2] > 4:
            raise HelloError("the first TLS record is no handshake")
        if not 0 < length <= _RECORD_BYTES:
            raise HelloError("a TLS record has an impossible length")
        if len(rest) < 5 + length:
            if len(message) + len(rest) > limit + 5:
                raise HelloError(f"the ClientHello is longer than {limit} bytes")
            return False, ""
        message += rest[5 : 5 + length]
        rest = rest[5 + length :]


class _Reader:
    """Takes lengths and what they announce; raises HelloError for a length that is not kept."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def ended(self) -> bool:
        return self._at == len(self._data)

    def take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            raise HelloError("the ClientHello is malformed")
        self._at += size
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        """What a length of ``size`` bytes announces."""
        return self.take(self.number(size))

    def end(self) -> None:
        if not self.ended:
            raise HelloError("the ClientHello is malformed")


def _name(hello: _Reader) -> str:
    hello.take(2 + 32)  # version, random
    hello.vector(1)  # session
    hello.vector(2)  # cipher suites
    hello.vector(1)  # compression
    if hello.ended:
        return ""
    extensions = _Reader(hello.vector(2))
    hello.end()
    name, seen = "", set[int]()
    while not extensions.ended:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind in seen:
            raise HelloError("the ClientHello is malformed")
        seen.add(kind)
        if kind in (_ENCRYPTED_HELLO, _ENCRYPTED_NAME):
            raise HelloError("the ClientHello carries an encrypted name beside the one that can be read")
        if kind == _SERVER_NAME:
            name = _host_name(_Reader(content))
    return name


def _host_name(extension: _Reader) -> str:
    names = _Reader(extension.vector(2))
    extension.end()
    if names.number(1) != 0:
        raise HelloError("the ClientHello names no host")
    name = names.vector(2)
    names.end()
    if not name or not name.isascii():
        raise HelloError("the ClientHello names no host")
    return name.decode("ascii")
