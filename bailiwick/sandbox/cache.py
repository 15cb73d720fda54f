"""Where trees that are made once are kept: ``$BAILIWICK_CACHE``, else ``$XDG_CACHE_HOME/bailiwick``, else ``~/.cache``.

A tree's name is a digest of what goes into it, so a tree that stands is never changed, and is complete: it is built
beside its place and renamed into it, under a lock that other processes respect.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from bailiwick.errors import SandboxUnavailable

__all__ = ["cache_folder", "kept_tree"]


def cache_folder() -> Path:
    """The cache's folder, whether it exists or not."""
    if own := os.environ.get("BAILIWICK_CACHE"):
        return Path(own).absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "bailiwick"


def kept_tree(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder ``kind/key``, made by ``build(empty folder)`` where it is missing, and then made read-only.

    Raises SandboxUnavailable when the cache cannot be written.
    """
    place = cache_folder() / kind / key
    if place.is_dir():
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.parent / ".lock"):
            if place.is_dir():
                return place
            half = Path(tempfile.mkdtemp(prefix=".half-", dir=place.parent))
            try:
                half.chmod(0o755)
                build(half)
                _make_files_read_only(half)
                half.rename(place)
            finally:
                shutil.rmtree(half, ignore_errors=True)
    except OSError as error:
        raise SandboxUnavailable(
            f"the cache at {cache_folder()} cannot be written: {error}",
            fix="set BAILIWICK_CACHE to a folder that you may write",
        ) from error
    return place


def _make_files_read_only(folder: Path) -> None:
    # Folders stay writable for their owner, so that the cache can be removed by ordinary means.
    for parent, folders, files in os.walk(folder):
        for name in folders:
            if not (path := Path(parent, name)).is_symlink():
                path.chmod(path.stat().st_mode | 0o755)
        for name in files:
            if not (path := Path(parent, name)).is_symlink():
                path.chmod(0o555 if path.stat().st_mode & 0o100 else 0o444)
