"""How much one container may ask of the proxy."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Bounds"]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The defaults leave room for a client that opens a connection for each of many requests."""

    connections: int = 32
    """At once, of one container."""
    connections_per_second: float = 500.0
    """Accepted of one container after a burst of as many; more wait, so that a tool that does nothing but connect
    does not keep the host busy."""
    header_bytes: int = 16 * 2**10
    """Of a request's head, and of a ClientHello."""
    header_seconds: float = 10.0
    """From the first to the last byte of either."""
    connect_seconds: float = 10.0
    """For resolving, connecting and TLS together."""
    idle_seconds: float = 30.0
    """Without a byte in either direction."""
    events: int = 64
    """Kept of one call; what came beyond is counted in the last one."""
