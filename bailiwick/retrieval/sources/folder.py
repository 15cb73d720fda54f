"""Files, and folders of files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bailiwick.documents import MAX_BYTES, SUFFIXES, Fact
from bailiwick.errors import ConfigError, DocumentError
from bailiwick.retrieval.sources.item import Content, Item

__all__ = ["Files", "as_seen", "walk"]


class Files:
    """A file, or the documents below a folder, hidden ones left out."""

    scope = ""

    def __init__(
        self, given: Path, *, seen_from: Path, facts: Mapping[str, Fact] | None = None, without: Sequence[Path] = ()
    ) -> None:
        """Raises ConfigError for a path that is missing, or a folder without documents.

        A file that is named itself is always taken, so that it can be said why it cannot be read. ``without`` are files
        that are something else.
        """
        if not given.exists():
            raise ConfigError("there is no such file or folder", file=given, fix="correct the path")
        self.name = str(given)
        self._facts = facts or {}
        self._root: Path | None = None
        self.folder: str | None = None
        self.skipped: Sequence[str] = ()
        if given.is_file():
            path = given.parent.resolve() / given.name
            self._found = [(path, path.name)]
        else:
            root = self._root = given.resolve()
            found = [(path, path.relative_to(root).as_posix()) for path in walk(root) if path not in without]
            self.skipped = [name for path, name in found if path.suffix.lower() not in SUFFIXES]
            self._found = [(path, name) for path, name in found if path.suffix.lower() in SUFFIXES]
            if not self._found and not without:
                raise ConfigError(
                    "the folder holds no document that can be read",
                    file=given,
                    fix="put markdown, HTML, PDF, DOCX, CSV, JSON or text files there, or name another folder",
                )
            self.folder = as_seen(root, seen_from)
        self._seen_from = seen_from
        # A file by itself says nothing about others that were taken in before.
        self.complete = self._root is not None
        self.count: int | None = len(self._found)

    def items(self) -> Iterator[Item]:
        for path, name in self._found:
            yield Item(
                source=as_seen(path, self._seen_from),
                name=name,
                load=lambda _, path=path: self._read(path),
                facts={"kind": path.suffix.lower().removeprefix("."), "name": name, **self._facts},
            )

    def _read(self, path: Path) -> Content:
        if self._root is not None and not path.resolve().is_relative_to(self._root):
            raise DocumentError("it is a link that leads out of the folder", fix="put the file itself there")
        try:
            # Opened without waiting: a pipe that nobody writes to must not hold everybody up.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                if not path.is_file():
                    raise DocumentError("it is no file", fix="take it out of the folder")
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise DocumentError(f"it cannot be read: {error.strerror}") from error
        return Content(suffix=path.suffix.lower(), data=data)


def walk(root: Path) -> Iterator[Path]:
    """Files below ``root`` in order, without hidden ones and hidden folders. Links to folders are not followed."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))


def as_seen(path: Path, seen_from: Path) -> str:
    """The way to it from the index, so that a project may be moved as a whole."""
    return Path(os.path.relpath(path, seen_from)).as_posix()
