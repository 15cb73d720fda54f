"""An error path: by which way through agent, node and tool something went wrong, and how."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import astuple, dataclass

__all__ = ["ErrorPath"]

_NOT_A_NAME = re.compile(r"[^\w.()-]+")
NAME = 80
"""Characters of a part that count; an exception's class name comes out of a container and may be anything."""


@dataclass(frozen=True, kw_only=True)
class ErrorPath:
    """The parts that make two failures the same failure. No message is among them, so no text of a customer either.

    Empty ``tool``: it went wrong in the node itself. Empty ``exit_cause``: nothing was run. ``outcome`` is what became
    of the turn: ``recovered`` (the model was told and went on), ``swallowed`` or ``fatal``.
    """

    agent: str
    node: str
    tool: str
    error_type: str
    exit_cause: str
    outcome: str

    def __post_init__(self) -> None:
        for name, value in zip(self.__dataclass_fields__, astuple(self), strict=True):
            object.__setattr__(self, name, _NOT_A_NAME.sub("_", str(value))[:NAME])

    @property
    def fingerprint(self) -> str:
        """``v1:`` and 16 hex digits; the same in every process, version and place."""
        text = json.dumps(astuple(self), separators=(",", ":"))
        return "v1:" + hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def text(self) -> str:
        """The path to read: ``support → act → refund_order: denied (after)``."""
        way = " → ".join(part for part in (self.agent, self.node, self.tool) if part)
        cause = f" ({self.exit_cause})" if self.exit_cause not in ("", "error", self.error_type) else ""
        end = "" if self.outcome == "recovered" else f", {self.outcome}"
        return f"{way}: {self.error_type}{cause}{end}"
