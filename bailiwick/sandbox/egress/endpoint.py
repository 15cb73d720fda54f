"""A host and port that a tool may reach."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Endpoint"]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One host and port. Empty ``methods`` or ``paths``: any. Empty ``addresses``: public ones only."""

    host: str
    port: int
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    tls: bool = False
    addresses: tuple[str, ...] = ()
