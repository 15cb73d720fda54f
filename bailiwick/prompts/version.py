"""One version of a prompt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["PromptVersion", "digest_of", "unnumbered"]


@dataclass(frozen=True, kw_only=True)
class PromptVersion:
    """``number`` counts the versions of ``name`` from 1; 0: it is not kept."""

    name: str
    number: int
    digest: str
    """SHA-256 of the text, 64 hex digits."""
    text: str
    declared: str = ""
    """The digest of what was declared when it came into force; another than ``digest`` where it was rolled back to."""
    at: float = 0.0
    """Seconds since the epoch, of when it came into force."""
    origin: str = ""
    """The file that declares it, from the project's root; or ``rollback to N``."""
    by: str = ""
    reason: str = ""

    @property
    def label(self) -> str:
        """``support@3``, or by its content where it has no number."""
        return f"{self.name}@{self.number or self.digest[:12]}"


def digest_of(text: str) -> str:
    """By its lines and not by how they end, so that it is the same on every machine."""
    return hashlib.sha256(plain(text).encode()).hexdigest()


def plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def unnumbered(name: str, text: str) -> PromptVersion:
    """A prompt that is not kept, such as Bailiwick's own for a grade: known by its content alone."""
    return PromptVersion(name=name, number=0, digest=digest_of(text), text=text)
