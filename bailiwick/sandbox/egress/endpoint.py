"""Where a container may go: the policy's words as one flat value, without anything left to guess."""

from __future__ import annotations

from dataclasses import dataclass

from bailiwick.policy import Network

__all__ = ["Endpoint", "endpoints_of"]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One host at one port. ``host`` is canonical. Empty ``methods`` and ``paths`` do not limit.

    Empty ``addresses``: the host may lead to public addresses only.
    """

    host: str
    port: int
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    """Beginnings of paths, by whole segments."""
    tls: bool = False
    """Whether the proxy speaks TLS to the host when a request comes as ``http://host:port/``."""
    addresses: tuple[str, ...] = ()
    """Networks that are not public and still may be dialled, as ``10.0.0.0/8``."""

    @property
    def limited(self) -> bool:
        """Whether requests have to be looked at, so that no tunnel may lead here."""
        return bool(self.methods or self.paths)


def endpoints_of(network: Network) -> tuple[Endpoint, ...]:
    """The endpoints of a policy. Absent ``tls`` is decided here: port 443 has it."""
    return tuple(
        Endpoint(
            host=entry.host,
            port=entry.port,
            methods=entry.methods,
            paths=entry.paths,
            tls=entry.port == 443 if entry.tls is None else entry.tls,
            addresses=entry.addresses,
        )
        for entry in network.allow
    )
