"""What the host knows of a tool: everything but its body, which the host never imports."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ToolDefinition", "file_digest"]


@dataclass(frozen=True, kw_only=True)
class ToolDefinition:
    """A tool as the model sees it, and where its body lies.

    ``parameters`` is a JSON Schema object as ``describe`` gave it inside the sandbox. An empty ``parameters`` means a
    tool without arguments.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    file: Path
    digest: str
    """``sha256:…`` of the file's bytes, so that a changed file is described anew."""


def file_digest(file: Path) -> str:
    """``sha256:…`` of the bytes of ``file``."""
    return "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
