"""Files that a call leaves to be taken back: regular ones below one folder, no link followed, bounded.

Runs when every process of the call is dead, so that nothing changes under it. The folder is in memory and has the size
of /tmp, so a tool can fill neither the host's disk nor this process.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["FOLDER", "collect", "make_folder"]

FOLDER = Path("/tmp/output")  # noqa: S108
_DEPTH = 8
_TOLD = 32
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def make_folder() -> None:
    """An empty folder, whatever an earlier call of the conversation has put in its place."""
    with contextlib.suppress(OSError):
        if FOLDER.is_symlink() or not FOLDER.is_dir():
            FOLDER.unlink(missing_ok=True)
        else:
            FOLDER.chmod(0o700)
            shutil.rmtree(FOLDER, ignore_errors=True)  # by descriptors: no link is followed
        FOLDER.mkdir(mode=0o700)


def collect(count: int, size: int) -> dict[str, Any]:
    """``files``: at most ``count``, of at most ``size`` bytes together; ``files_left_out``: what was not taken, why."""
    files: list[dict[str, str]] = []
    left_out: list[str] = []
    room = size
    try:
        top = os.open(FOLDER, _FOLDER_FLAGS)
    except OSError:
        return {}
    for name, told in _walk(top, "", 0):
        if isinstance(told, str):
            left_out.append(f"{name}: {told}")
        elif len(files) >= count:
            left_out.append(f"{name}: more than {count} files")
        elif len(data := told.read(room + 1)) > room:  # a file of holes is larger than it is
            left_out.append(f"{name}: more than {size} bytes together")
        else:
            room -= len(data)
            files.append({"name": name, "data": base64.b64encode(data).decode()})
    return {"files": files, "files_left_out": left_out[:_TOLD]}


def _walk(folder: int, above: str, depth: int) -> Iterator[tuple[str, BinaryIO | str]]:
    """Every entry's path with the file, open until the next, or with why it is none; closes ``folder``."""
    try:
        for entry in sorted(os.listdir(folder)):
            name = f"{above}{entry}"
            try:
                name.encode()
                kind = os.stat(entry, dir_fd=folder, follow_symlinks=False).st_mode
                if stat.S_ISDIR(kind) and depth < _DEPTH:
                    yield from _walk(os.open(entry, _FOLDER_FLAGS, dir_fd=folder), f"{name}/", depth + 1)
                elif stat.S_ISREG(kind):
                    with os.fdopen(os.open(entry, _FILE_FLAGS, dir_fd=folder), "rb") as file:
                        yield name, file
                else:
                    yield name, "too deep" if stat.S_ISDIR(kind) else "neither a file nor a folder"
            except UnicodeEncodeError:
                yield ascii(name), "its name is no text"
            except OSError as error:
                yield name, error.strerror or type(error).__name__
    finally:
        os.close(folder)
