"""A no that a program can read: what was asked for, why not, and which key of the policy would allow it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Literal

__all__ = ["Denied"]

Key = Literal["sandbox.network.allow", "sandbox.network.bytes"]


class Denied(Exception):
    """Raised inside the proxy when a connection may not be, or may not go on."""

    def __init__(
        self,
        reason: str,
        *,
        fix: str,
        status: int = 403,
        key: Key = "sandbox.network.allow",
        answer: bytes | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason, self.fix, self.status, self.key = reason, fix, status, key
        self.answer = answer
        """What the client is sent. None: ``response``. Empty: nothing, since it would not understand."""

    def response(self, *, host: str, port: int, body: bool = True) -> bytes:
        """As an HTTP response after which the connection ends; without its ``body`` where HEAD was asked."""
        told = {
            "error": "egress_denied",
            "host": host,
            "port": port,
            "reason": self.reason,
            "key": self.key,
            "fix": self.fix,
        }
        content = json.dumps(told).encode()
        head = (
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + (content if body else b"")
