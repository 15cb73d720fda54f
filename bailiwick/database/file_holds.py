"""Names that one process at a time may have, by locks on single bytes of a file.

The kernel takes them back when the process ends, by SIGKILL too, so that nothing is left to time out; and one file
serves for any number of names. Written by hand because ``filelock`` knows whole files only: one for each conversation
would stay behind, since removing a lock file is a race. Open file description locks (Linux): the older POSIX ones are
lost when any other descriptor of the file is closed in the same process.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
from pathlib import Path
from threading import Lock

__all__ = ["FileHolds"]

_SET = getattr(fcntl, "F_OFD_SETLK", fcntl.F_SETLK)


class FileHolds:
    """``file`` None: the names are this object's alone."""

    def __init__(self, file: Path | None) -> None:
        self._lock = Lock()
        self._held: set[str] = set()
        self._file = None if file is None else os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, name: str) -> bool:
        with self._lock:
            if name in self._held or not self._set(name, fcntl.F_WRLCK):
                return False
            self._held.add(name)
            return True

    def let_go(self, name: str) -> None:
        with self._lock:
            if name in self._held:
                self._held.discard(name)
                self._set(name, fcntl.F_UNLCK)

    def close(self) -> None:
        with self._lock:
            self._held.clear()
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _set(self, name: str, kind: int) -> bool:
        if self._file is None:
            return True
        # struct flock: type, whence, start, length, pid. Two names of the same byte would only wait for each other.
        start = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:7])
        try:
            fcntl.fcntl(self._file, _SET, struct.pack("hhqqixxxx", kind, os.SEEK_SET, start, 1, 0))
        except (BlockingIOError, PermissionError):
            return False
        return True
