"""Environments of their own for libraries whose pins are not ours."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from bailiwick.sandbox.cache import cache_folder

__all__ = ["environment_with"]


def environment_with(*libraries: str) -> Path:
    """The interpreter of an environment that holds ``libraries``; made once, by ``uv`` where it is here or by pip.

    Raises RuntimeError, with what was said, when a registry does not give them.
    """
    key = hashlib.sha256("\n".join([sys.version, *libraries]).encode()).hexdigest()[:16]
    place = cache_folder() / "peers" / key
    python = place / "bin" / "python"
    if (place / "complete").exists():
        return python
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    base: str = getattr(sys, "_base_executable", "") or sys.executable
    pip = [[base, "-m", "venv", str(place)], [str(python), "-m", "pip", "install", "--quiet", *libraries]]
    if uv := shutil.which("uv"):
        try:
            _made([uv, "venv", "--quiet", "--python", base, str(place)])
            _made([uv, "pip", "install", "--quiet", "--python", str(python), *libraries])
        except RuntimeError:  # where pip knows a registry by its own settings, which uv does not read
            shutil.rmtree(place, ignore_errors=True)
        else:
            pip = []
    for command in pip:
        _made(command)
    (place / "complete").touch()
    return python


def _made(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])} … failed: {done.stderr.strip()[-400:]}")
