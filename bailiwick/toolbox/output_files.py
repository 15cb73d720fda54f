"""Files that a call left to be kept: put into the folder that its policy names, each call's in a folder of its own."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bailiwick.errors import SandboxRefused
from bailiwick.sandbox import OutputFile

__all__ = ["keep_files"]


def keep_files(folder: Path, key: str, files: Sequence[OutputFile]) -> tuple[str, ...]:
    """Write ``files`` below ``folder``, all or none; their paths relative to it.

    ``key`` is the call's: a call that is run again replaces what it left before. Raises SandboxRefused where the
    folder is, or lies behind, a link; OSError when it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if folder.resolve() != folder:
        raise SandboxRefused(
            f"{folder} is a link, to {folder.resolve()}", fix="look at who put it there, and remove it"
        )
    own = hashlib.sha256(key.encode()).hexdigest()[:16]
    half = Path(tempfile.mkdtemp(prefix=f".{own}-", dir=folder))
    try:
        for file in files:
            place = half / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.data)
        half.chmod(0o755)
        shutil.rmtree(folder / own, ignore_errors=True)
        half.rename(folder / own)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return tuple(f"{own}/{file.name}" for file in files)
