"""Encoded spans on disk, until Phoenix has stored them.

Every process writes into a folder of its own, which it holds by a lock, and takes over the folders of processes that
have ended. The size is bounded; when there is no room the oldest spans go, and they are counted.
"""

from __future__ import annotations

import itertools
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from uuid import uuid4

from filelock import FileLock, Timeout

__all__ = ["Spool", "SpooledBatch"]

MAX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class SpooledBatch:
    """One file of the spool: an encoded ``ExportTraceServiceRequest``."""

    file: Path
    spans: int
    size: int
    """Bytes."""


class Spool:
    """This process's part of the spool in ``folder``. ``max_bytes`` bounds it, with what it took over."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._numbers = itertools.count()
        self._batches: dict[Path, SpooledBatch] = {}
        name = f"{os.getpid()}-{uuid4().hex[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        # Locked before its folder is there, so that nobody takes a folder over that has just been made.
        self._held = FileLock(folder / f"{name}.lock", thread_local=False)
        self._held.acquire()
        self._own = folder / name
        self._own.mkdir()
        self.lost_when_opened = self.adopt()

    def write(self, body: bytes, spans: int) -> int:
        """Keep a batch; returns how many spans were lost to make room. Raises OSError when the disk takes nothing."""
        file = self._own / f"{next(self._numbers):09d}-{spans}.pb"
        part = file.with_suffix(".part")
        part.write_bytes(body)
        part.rename(file)
        with self._lock:
            self._batches[file] = SpooledBatch(file, spans, len(body))
        return self._make_room()

    def batches(self) -> list[SpooledBatch]:
        """What waits, the oldest first."""
        with self._lock:
            return list(self._batches.values())

    def remove(self, batch: SpooledBatch) -> None:
        """Phoenix has it, or never will."""
        with self._lock:
            self._batches.pop(batch.file, None)
        batch.file.unlink(missing_ok=True)

    def adopt(self) -> int:
        """Take over what ended processes left; returns how many spans were lost to make room."""
        for folder in sorted(path for path in self._folder.iterdir() if path.is_dir() and path != self._own):
            lock = FileLock(self._folder / f"{folder.name}.lock", thread_local=False)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            try:
                for file in sorted(folder.glob("*.pb")):
                    self._take(file)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                lock.release()
                Path(lock.lock_file).unlink(missing_ok=True)
        return self._make_room()

    def close(self) -> None:
        """Let go of the folder; what waits is taken over by whoever opens the spool next. Safe to call twice."""
        if not self._held.is_locked:
            return
        with self._lock:
            empty = not self._batches
        if empty:
            shutil.rmtree(self._own, ignore_errors=True)
        self._held.release()
        if empty:
            Path(self._held.lock_file).unlink(missing_ok=True)

    def _take(self, file: Path) -> None:
        spans = file.stem.rpartition("-")[2]
        if not spans.isdigit():
            return
        target = self._own / f"{next(self._numbers):09d}-{spans}.pb"
        file.rename(target)
        with self._lock:
            self._batches[target] = SpooledBatch(target, int(spans), target.stat().st_size)

    def _make_room(self) -> int:
        lost = 0
        with self._lock:
            while len(self._batches) > 1 and sum(batch.size for batch in self._batches.values()) > self._max_bytes:
                oldest = next(iter(self._batches.values()))
                del self._batches[oldest.file]
                oldest.file.unlink(missing_ok=True)
                lost += oldest.spans
        return lost
