"""A version of policies: a folder, one file, or what git keeps of the project's policies."""

from __future__ import annotations

import dataclasses
import subprocess
import tempfile
from pathlib import Path

from bailiwick.errors import InputRefused, PolicyError
from bailiwick.policy import LoadedPolicy, load_policies, load_policy
from bailiwick.project import Layout, find_root

__all__ = ["policies_in"]

_GIT = "git:"


def policies_in(version: str, project: Path | None) -> dict[str, LoadedPolicy]:
    """The policies of ``version`` by tool: a path, ``git:REF``, or an empty text for those of the project.

    Raises PolicyError for what cannot be read, and InputRefused where there is no such path or REF.
    """
    if version.startswith(_GIT):
        return _from_git(version.removeprefix(_GIT), Layout(root=find_root(project)).policies)
    path = Path(version) if version else Layout(root=find_root(project)).policies
    if path.is_dir():
        return load_policies(path)
    if not path.is_file():
        raise InputRefused(f"{version}: there is no such folder or file", fix="correct the path, or write git:REF")
    loaded = load_policy(path)
    return {loaded.policy.tool: loaded}


def _from_git(ref: str, folder: Path) -> dict[str, LoadedPolicy]:
    if not ref or ref.startswith("-"):
        raise InputRefused(f"{_GIT}{ref} names no version", fix="write git:REF, such as git:main or git:HEAD~1")
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip().decode()
    names = _git(folder, "ls-tree", "-z", "--name-only", commit, "--", ".").decode().split("\0")
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            if Path(name).suffix in (".yaml", ".yml"):
                content = _git(folder, "cat-file", "blob", f"{commit}:./{name}")
                (Path(place) / name).write_bytes(content)
        try:
            loaded = load_policies(place)
        except PolicyError as error:
            file = f"{_GIT}{ref}:{Path(error.file or '').name}"
            raise PolicyError(error.problem, file=file, line=error.line, key=error.key, fix=error.fix) from None
    return {
        name: dataclasses.replace(each, file=Path(f"{_GIT}{ref}:{each.file.name}")) for name, each in loaded.items()
    }


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except OSError as error:
        raise InputRefused(f"git cannot be run: {error.strerror}", fix="install git, or name a folder") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or "it knows no such version"
        raise InputRefused(f"git does not give this version of {folder}: {said}", fix="name a commit, branch or tag")
    return done.stdout
