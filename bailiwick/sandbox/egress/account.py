"""What the connections of one container come to: which are open, how much went over, and what is told of each.

Lives in the proxy's thread alone, so nothing here is locked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from bailiwick.sandbox.egress.bounds import Bounds
from bailiwick.sandbox.egress.denial import Denied
from bailiwick.sandbox.egress.event import EgressEvent

__all__ = ["Account", "Visit"]

_EARLY = 8
"""Events kept from before a call: of a tool that reaches out while it is imported."""


@dataclass(kw_only=True, eq=False)
class Visit:
    """One connection while it lasts."""

    cut: Callable[[], None]
    """Ends it at once."""
    host: str = ""
    port: int = 0
    method: str = ""
    path: str = ""
    decision: Literal["allowed", "denied"] = "denied"
    reason: str = "it ended before it said where to go"
    address: str = ""
    sent: int = 0
    received: int = 0
    start_ns: int = field(default_factory=time.monotonic_ns)
    answered: bool = False
    """Whether the client has been sent something, after which it cannot be told of a denial."""

    def allow(self, address: str) -> None:
        self.decision, self.reason, self.address = "allowed", "", address

    def deny(self, reason: str) -> None:
        self.decision, self.reason = "denied", reason

    def event(self) -> EgressEvent:
        return EgressEvent(
            host=self.host,
            port=self.port,
            decision=self.decision,
            reason=self.reason,
            address=self.address,
            sent=self.sent,
            received=self.received,
            start_ns=self.start_ns,
            end_ns=time.monotonic_ns(),
            method=self.method,
            path=self.path,
        )


class Account:
    """The calls of one container, one after the other."""

    def __init__(self, *, byte_limit: int, bounds: Bounds) -> None:
        self._limit, self._bounds = byte_limit, bounds
        self._open: set[Visit] = set()
        self._events: list[EgressEvent] = []
        self._rest: _Rest | None = None
        self._begun, self._used = False, 0

    def begin(self) -> None:
        """From now on a call is served. What was asked for before was denied, and stays told."""
        self._begun, self._used = True, 0

    def end(self) -> tuple[EgressEvent, ...]:
        """Cut whatever is open; what the call's connections came to, the first to end first."""
        for visit in tuple(self._open):
            self.leave(visit)
            visit.cut()
        self._begun = False
        told, self._events = self._events, []
        if self._rest is not None:
            told.append(self._rest.event())
            self._rest = None
        return tuple(told)

    def enter(self, visit: Visit) -> None:
        """A connection has come. Raises Denied when it is one too many, or when no call could have made it."""
        crowded = len(self._open) >= self._bounds.connections
        self._open.add(visit)
        if crowded:
            reason = f"{self._bounds.connections} connections are open already"
            raise Denied(reason, fix="close connections before opening more", status=429)
        if not self._begun:
            fix = "reach out inside the tool's function, not while its file is imported or after it returned"
            raise Denied("no call has begun", fix=fix)
        if self._used >= self._limit:
            raise self._used_up()

    def leave(self, visit: Visit) -> None:
        """A connection is over. One that was cut off with its call has been told of already."""
        if visit in self._open:
            self._open.discard(visit)
            self._keep(visit.event())

    def count(self, visit: Visit, *, sent: int = 0, received: int = 0) -> None:
        """Before bytes go on. Raises Denied when they would be too many, and then cuts every other connection."""
        if self._used + sent + received > self._limit:
            self._used = self._limit
            for other in self._open - {visit}:
                other.deny(self._used_up().reason)
                self.leave(other)
                other.cut()
            raise self._used_up()
        self._used += sent + received
        visit.sent += sent
        visit.received += received

    def _used_up(self) -> Denied:
        return Denied(
            f"one call may send and receive {self._limit} bytes together",
            fix="raise sandbox.network.bytes of the tool's policy, or ask for less",
            status=413,
            key="sandbox.network.bytes",
        )

    def _keep(self, event: EgressEvent) -> None:
        if not self._begun and len(self._events) >= _EARLY:
            return
        if len(self._events) < self._bounds.events - 1:
            self._events.append(event)
        elif self._rest is None:
            self._rest = _Rest(first=event)
        else:
            self._rest.add(event)


class _Rest:
    """Events for which there is no room, as one."""

    def __init__(self, *, first: EgressEvent) -> None:
        self._sum, self._many, self._denied = first, 1, int(first.decision == "denied")

    def add(self, event: EgressEvent) -> None:
        self._many += 1
        self._denied += event.decision == "denied"
        self._sum = replace(
            self._sum,
            sent=self._sum.sent + event.sent,
            received=self._sum.received + event.received,
            start_ns=min(self._sum.start_ns, event.start_ns),
            end_ns=max(self._sum.end_ns, event.end_ns),
        )

    def event(self) -> EgressEvent:
        if self._many == 1:
            return self._sum
        return EgressEvent(
            host="",
            port=0,
            decision="denied" if self._denied else "allowed",
            reason=f"{self._many} more connections, {self._denied} of them denied",
            sent=self._sum.sent,
            received=self._sum.received,
            start_ns=self._sum.start_ns,
            end_ns=self._sum.end_ns,
        )
