"""What is told of one connection once it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["EgressEvent"]


@dataclass(frozen=True, kw_only=True)
class EgressEvent:
    """One connection. Times are of ``time.monotonic_ns``; bytes are those between the proxy and the host."""

    host: str
    """As the client asked for it; empty when it did not say."""
    port: int
    decision: Literal["allowed", "denied"]
    reason: str = ""
    """Why it was denied or cut. Empty when it was allowed."""
    address: str = ""
    """The address that was dialled. Empty when nothing was."""
    sent: int = 0
    received: int = 0
    start_ns: int
    end_ns: int
    method: str = ""
    path: str = ""
    """Without its query, which may hold secrets. Empty for a tunnel."""
