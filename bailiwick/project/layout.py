"""Where things lie in a project. What a team writes is in plain sight; what Bailiwick keeps is in ``.bailiwick/``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bailiwick.errors import ConfigError

__all__ = ["Layout", "find_root"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The folders and files of the project at ``root``. Nothing is made until somebody writes it."""

    root: Path

    @property
    def name(self) -> str:
        """What the project is called in Phoenix: ``BAILIWICK_PROJECT``, else ``bailiwick``."""
        return os.environ.get("BAILIWICK_PROJECT", "").strip() or "bailiwick"

    @property
    def agents(self) -> Path:
        return self.root / "agents"

    @property
    def graphs(self) -> Path:
        return self.root / "graphs"

    @property
    def tools(self) -> Path:
        return self.root / "tools"

    @property
    def policies(self) -> Path:
        return self.root / "policies"

    @property
    def knowledge(self) -> Path:
        """What the agents know, as documents."""
        return self.root / "knowledge"

    @property
    def attachments(self) -> Path:
        """Files that came with questions."""
        return self.root / "data" / "attachments"

    @property
    def kept(self) -> Path:
        return self.root / ".bailiwick"

    @property
    def state(self) -> Path:
        """Checkpoints and the call ledger, in one SQLite file so that one backup holds both."""
        return self.kept / "state.db"

    @property
    def index(self) -> Path:
        """``rag.db`` and the vector index made from it."""
        return self.kept / "knowledge"

    @property
    def errors(self) -> Path:
        """The store of error paths."""
        return self.kept / "errors.db"

    @property
    def spool(self) -> Path:
        """Spans that wait for Phoenix."""
        return self.kept / "spool"

    @property
    def phoenix(self) -> Path:
        """Phoenix's own database and log."""
        return self.kept / "phoenix"

    @property
    def described(self) -> Path:
        """What the tools' files declare, by their digest."""
        return self.kept / "tools.json"


def find_root(start: Path | None = None) -> Path:
    """The nearest folder at or above ``start`` (empty: here) with ``agents/`` and ``policies/``. Raises ConfigError."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "agents").is_dir() and (folder / "policies").is_dir():
            return folder
    raise ConfigError(
        "no Bailiwick project is here or above: there is no folder with agents/ and policies/",
        file=here,
        fix="go to your project's folder, or name it with --project",
    )
