"""Which host paths a policy's paths are: inside the project, there, and no way out by a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bailiwick.errors import PolicyError, SandboxRefused
from bailiwick.sandbox.spec import Mount, Spec

__all__ = ["NOBODY", "group_of", "project_mount", "readable", "unwritable", "verify_mounts"]

NOBODY = 65534
_LOOKED_AT = 10_000
"""Files that are looked at below a mount; a project that writes more in one place has its own way of checking."""


def project_mount(project: Path, path: str, *, write: bool, key: str, policy_file: Path | None) -> Mount:
    """The mount of ``path``, which a policy names under ``key``. Raises PolicyError naming the key and the fix."""

    def wrong(message: str, fix: str) -> PolicyError:
        return PolicyError(f"{path!r} {message}", file=policy_file, key=key, fix=fix)

    given = PurePosixPath(path)
    root = project.resolve()
    if given.is_absolute() or ".." in given.parts:
        raise wrong("leaves the project", f"name a file or folder below {root}, relative to it")
    if not given.parts:
        raise wrong("is the whole project", "name the files or folders that the tool needs")
    try:
        source = (root / given).resolve(strict=True)
    except FileNotFoundError:
        raise wrong(f"is not there: {root / given}", "make it, or take it out of the policy") from None
    except (OSError, RuntimeError) as error:
        raise wrong(f"cannot be followed: {error}", "name a file or folder of the project") from None
    if not source.is_relative_to(root) or source == root:
        raise wrong(f"is a link out of the project, to {source}", "put the file itself into the project")
    if not (source.is_dir() or source.is_file()):
        raise wrong("is neither a file nor a folder", "name a regular file or a folder")
    return Mount(source=source, target=f"/work/{given}", write=write)


def verify_mounts(spec: Spec) -> None:
    """Raise SandboxRefused when a mount is no longer what it was when the policy was compiled.

    A tool that may write to a folder can put a link there, and the next container would mount what it points to.
    """
    for mount in spec.mounts:
        try:
            real = mount.source.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise SandboxRefused(
                f"{mount.source} cannot be mounted: {error}", fix="put it back and try again"
            ) from None
        if real != mount.source:
            raise SandboxRefused(
                f"{mount.source} has become a link, to {real}", fix="look at who put it there, and remove it"
            )


def readable(path: Path, uid: int) -> bool:
    """Whether ``uid`` may read ``path`` itself, by its mode alone; the folders above it do not count inside."""
    state = path.stat()
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(state.st_mode) else 0)
    return _allows(state, uid, wanted)


def unwritable(path: Path, uid: int) -> Path | None:
    """The first file or folder at or below ``path`` that ``uid`` may not write; None: there is none."""
    for number, each in enumerate(_at_and_below(path)):
        if number >= _LOOKED_AT:
            return None
        try:
            state = each.lstat()
        except FileNotFoundError:  # a journal that has just gone
            continue
        if stat.S_ISLNK(state.st_mode):
            continue
        wanted = stat.S_IWOTH | stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(state.st_mode) else 0)
        if not _allows(state, uid, wanted):
            return each
    return None


def _at_and_below(path: Path) -> Iterator[Path]:
    yield path
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            yield Path(folder, name)


def _allows(state: os.stat_result, uid: int, wanted: int) -> bool:
    if state.st_uid == uid:
        wanted <<= 6
    elif state.st_gid == group_of(uid):
        wanted <<= 3
    return state.st_mode & wanted == wanted


def group_of(uid: int) -> int:
    """The group a container of ``uid`` runs in: this user's own for their own uid, else the one of the same number."""
    return os.getgid() if uid == os.getuid() else uid
