"""What a tool's body may ask for, as the host sees it: names for editors and imports, which answer in a sandbox only.

A module that declares a tool in code is imported here too, so the names must be there; its body never runs here.
"""

from __future__ import annotations

from pathlib import Path

from bailiwick.errors import SandboxUnavailable

__all__ = ["idempotency_key", "output", "secret"]


def secret(name: str) -> str:
    """A secret that the tool's policy lists under ``sandbox.secrets``. Raises SandboxUnavailable outside a sandbox."""
    raise SandboxUnavailable(
        f"the secret {name!r} was asked for outside a sandbox", fix="ask for it in the tool's body, which runs inside"
    )


def idempotency_key() -> str:
    """The same for every try of one call, so that an effect can be made once. Raises SandboxUnavailable outside."""
    raise SandboxUnavailable(
        "the idempotency key was asked for outside a sandbox", fix="ask for it in the tool's body, which runs inside"
    )


def output() -> Path:
    """The folder whose files are kept, where ``sandbox.files.output`` says so. Raises SandboxUnavailable outside."""
    raise SandboxUnavailable(
        "the output folder was asked for outside a sandbox", fix="ask for it in the tool's body, which runs inside"
    )
