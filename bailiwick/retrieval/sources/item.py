"""What a source gives: documents by name, each loaded when it is its turn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bailiwick.documents import CHUNKER, Fact, Section

__all__ = ["Content", "Item", "Source"]


@dataclass(frozen=True, kw_only=True)
class Content:
    """A document as it was loaded: bytes for a parser, or ``sections`` where the source knows them itself."""

    suffix: str = ""
    """What kind of document ``data`` is, as a file's ending."""
    data: bytes = b""
    sections: Sequence[Section] | None = None
    """None: ``data`` is to be parsed."""
    validator: str = ""
    """What a server said to recognize this state by. Empty: nothing."""

    def digest(self, facts: Mapping[str, Fact], link: str) -> str:
        """Of all that the index makes of it, so that an equal one needs no work."""
        told = hashlib.sha256(CHUNKER.encode() + self.data)
        for section in self.sections or ():
            told.update(f"\x1e{section.heading}\x1f{section.page}\x1f{section.row}\x1f{section.text}".encode())
        if facts or link:
            told.update(json.dumps([dict(facts), link], sort_keys=True).encode())
        return told.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Item:
    """One document that a source has."""

    source: str
    """What it is known as, for good: a path as seen from the index, an address, an id within its export."""
    name: str
    """What people know it as."""
    load: Callable[[str], Content | None]
    """Give it its last ``validator``; None: it has not changed since. Raises DocumentError."""
    facts: Mapping[str, Fact] = field(default_factory=dict[str, Fact])
    link: str = ""
    """Where a person may open it. Empty: nowhere."""


class Source(Protocol):
    """Where documents come from. Used by one thread; ``items`` once."""

    @property
    def name(self) -> str:
        """What people know it as."""
        ...

    @property
    def scope(self) -> str:
        """What its documents are remembered by, so that those that are gone can be told. Empty: by their folder."""
        ...

    @property
    def folder(self) -> str | None:
        """The folder that it scans to its end, as seen from the index. None: no folder, or not to its end."""
        ...

    @property
    def complete(self) -> bool:
        """Whether ``items`` gives all that there is, so that what it does not give is gone."""
        ...

    @property
    def count(self) -> int | None:
        """How many items there will be. None: nobody knows before the end."""
        ...

    @property
    def skipped(self) -> Sequence[str]:
        """What it has that is no document."""
        ...

    def items(self) -> Iterator[Item]:
        """Raises DocumentError when it breaks off, and what came until then counts."""
        ...
