"""A folder as a tar that is the same for the same files: sorted, without times and owners."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import IO

__all__ = ["write_archive"]


def write_archive(root: Path, sink: IO[bytes]) -> None:
    """Write everything under ``root`` to ``sink``, owned by root."""
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for folder, names, files in os.walk(root):
            names.sort()
            for name in sorted([*files, *names]):
                path = Path(folder, name)
                archive.add(path, arcname=str(path.relative_to(root)), recursive=False, filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry
