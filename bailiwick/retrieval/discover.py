"""Which files an ingestion takes in, and under which names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bailiwick.errors import ConfigError
from bailiwick.retrieval.parse import is_document

__all__ = ["Document", "Scan", "discover"]


@dataclass(frozen=True, kw_only=True)
class Document:
    """A file to take in."""

    path: Path
    source: str
    """What it is known as: its path as seen from the index, so that a project may be moved as a whole."""
    name: str
    """What people know it as: its path below the folder that was ingested."""
    leads_out: bool = False
    """Whether it is a link to a file outside that folder, which is not followed."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What lies under the paths that were asked for."""

    documents: Sequence[Document]
    folders: Sequence[str]
    """Folders that were scanned to their end, as seen from the index: what is known of them and gone can be pruned."""
    skipped: Sequence[str]


def discover(paths: Sequence[Path | str], *, seen_from: Path) -> Scan:
    """Scan files and folders, hidden ones left out. Raises ConfigError for a path that is missing or without documents.

    A file that is named itself is always taken, so that it can be said why it cannot be read.
    """
    seen_from = seen_from.resolve()
    documents: dict[str, Document] = {}
    folders: list[str] = []
    skipped: list[str] = []
    for given in [Path(path) for path in paths]:
        if not given.exists():
            raise ConfigError("there is no such file or folder", file=given, fix="correct the path")
        if given.is_file():
            path = given.parent.resolve() / given.name
            found = [(path, path.name)]
        else:
            root = given.resolve()
            found = [(path, path.relative_to(root).as_posix()) for path in _files(root)]
            skipped += [name for path, name in found if not is_document(path)]
            found = [(path, name) for path, name in found if is_document(path)]
            if not found:
                raise ConfigError(
                    "the folder holds no document that can be read",
                    file=given,
                    fix="put markdown, HTML, PDF, CSV or text files there, or name another folder",
                )
            folders.append(_as_seen(root, seen_from))
        for path, name in found:
            source = _as_seen(path, seen_from)
            leads_out = path.is_symlink() and given.is_dir() and not path.resolve().is_relative_to(given.resolve())
            documents.setdefault(source, Document(path=path, source=source, name=name, leads_out=leads_out))
    return Scan(documents=list(documents.values()), folders=folders, skipped=skipped)


def _files(root: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))


def _as_seen(path: Path, seen_from: Path) -> str:
    return Path(os.path.relpath(path, seen_from)).as_posix()
