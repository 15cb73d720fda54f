"""The runner's files, and where each lies in a container: under the names by which they import each other here."""

from __future__ import annotations

import compileall
import hashlib
import py_compile
import shutil
from pathlib import Path

from bailiwick.sandbox.cache import kept_tree

__all__ = ["COMMAND", "lay_runner", "runner_digest", "runner_folder"]

COMMAND = ("-I", "-X", "utf8", "/bailiwick/start.py")
"""Arguments for an interpreter; the runner's settings follow as one JSON argument."""

_ROOM = Path(__file__).parents[1]
_LIB = "lib/bailiwick"
_INSIDE = (
    "call_state", "child", "collect", "forward", "probe", "process", "runner", "serving", "told", "wire",
)  # fmt: skip
_FILES = {
    "start.py": _ROOM / "inside/start.py",
    f"{_LIB}/__init__.py": _ROOM / "inside/stub.py",
    f"{_LIB}/sandbox/inside/describe.py": _ROOM.parent / "definition/describe.py",
    f"{_LIB}/sandbox/__init__.py": None,
    f"{_LIB}/sandbox/inside/__init__.py": None,
    **{f"{_LIB}/sandbox/inside/{name}.py": _ROOM / f"inside/{name}.py" for name in _INSIDE},
}
"""Path under /bailiwick → our file; None: an empty one."""


def runner_digest() -> str:
    """Hex digest of every file of the runner."""
    whole = hashlib.sha256()
    for place, source in _FILES.items():
        whole.update(f"{place}\0".encode() + (source.read_bytes() if source else b"") + b"\0")
    return whole.hexdigest()


def lay_runner(folder: Path) -> None:
    """Write the runner's files under ``folder``."""
    for place, source in _FILES.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source is None:
            target.touch()
        else:
            shutil.copyfile(source, target)


def runner_folder() -> Path:
    """The runner's files alone, to be mounted at /bailiwick into an image that is not ours."""
    return kept_tree("runner", runner_digest()[:24], lay_runner)


def compile_tree(folder: Path, inside: str) -> None:
    """Compile what lies in ``folder``, to be seen at ``inside``.

    Hash-based and unchecked: a container cannot write its own, and neither times nor host paths may enter.
    """
    compileall.compile_dir(
        folder,
        quiet=2,
        workers=0,
        ddir=inside,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
