"""One writer at a time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bailiwick.errors import KnowledgeBusy

__all__ = ["only_writer"]


@contextmanager
def only_writer(folder: Path) -> Generator[None]:
    """Be the only one who writes below ``folder``. Raises KnowledgeBusy when somebody else is.

    Chroma itself lets several processes write into one folder, and loses vectors of them without an error. The lock is
    the kernel's, so that it goes with a process that is killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "writer.lock", timeout=0.3)
    try:
        lock.acquire()
    except Timeout as error:
        raise KnowledgeBusy(
            f"somebody else is ingesting into {folder}", fix="wait until it is done, then ingest again"
        ) from error
    try:
        yield
    finally:
        lock.release()
