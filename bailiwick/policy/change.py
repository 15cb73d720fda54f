"""One thing that differs between two versions of a policy, and whether it gives more than before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Change", "Direction"]

Direction = Literal["wider", "may be wider", "narrower", "same"]
"""``may be wider``: it could not be shown that nothing more is permitted. ``same``: shown that nothing is decided
otherwise, and no part of the sandbox is larger or smaller."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What differs at ``key`` of the policy of ``tool``, in words."""

    tool: str
    key: str
    direction: Direction
    text: str
    old: str = ""
    """``file:line`` in the old version. Empty: it is not there."""
    new: str = ""
    example: str = ""
    """A call that is decided otherwise now. Empty: none was found, or it is not about calls."""

    @property
    def widens(self) -> bool:
        """Whether it gives more, or may."""
        return self.direction in ("wider", "may be wider")
