"""``sandbox.requirements``: distributions of this environment, copied with what they need, and nothing else of it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bailiwick.errors import PolicyError
from bailiwick.sandbox.cache import kept_tree
from bailiwick.sandbox.image.runner import compile_tree

__all__ = ["site_folder"]


def site_folder(names: Sequence[str], *, policy_file: Path | None = None) -> Path:
    """A folder with exactly the distributions ``names`` and their dependencies, made where it is missing.

    Raises PolicyError for a distribution that is not installed here, or whose files are not in this environment.
    """
    closure = _closure(names, policy_file)
    # RECORD lists every file with its hash, so it stands for the contents.
    parts = [f"{name} {found.version} {found.read_text('RECORD') or ''}" for name, found in sorted(closure.items())]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]
    return kept_tree("site", key, lambda folder: _copy(closure, folder))


def _closure(names: Sequence[str], policy_file: Path | None) -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    waiting = [(name, "") for name in names]
    while waiting:
        name, wanted_by = waiting.pop()
        canonical = str(canonicalize_name(name))
        if canonical in found:
            continue
        try:
            one = distribution(name)
        except PackageNotFoundError:
            by = f", which {wanted_by} needs" if wanted_by else ""
            raise PolicyError(
                f"{name!r}{by} is not installed here",
                file=policy_file,
                key="sandbox.requirements",
                fix=f"install it (uv pip install {name}), or take it out of the policy",
            ) from None
        if not one.files or '"editable": true' in (one.read_text("direct_url.json") or ""):
            raise PolicyError(
                f"{name!r} is installed as a link to its sources, so its files cannot be told apart",
                file=policy_file,
                key="sandbox.requirements",
                fix=f"install it without -e (uv pip install {name})",
            )
        found[canonical] = one
        for line in one.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append((requirement.name, name))
    return found


def _copy(closure: dict[str, Distribution], folder: Path) -> None:
    for one in closure.values():
        for file in one.files or ():
            # Scripts lie outside of the packages (../../bin); compiled files are made anew.
            if ".." in file.parts or file.is_absolute() or "__pycache__" in file.parts:
                continue
            source, target = Path(str(one.locate_file(file))), folder / file
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
    compile_tree(folder, "/site")
