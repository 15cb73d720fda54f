"""What stands at a spec's mounts: which file or folder each of them is, held fast against links that come and go."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from bailiwick.errors import SandboxRefused
from bailiwick.sandbox.spec import Mount, Spec

__all__ = ["Stamp", "mounted_files", "stamp_of"]

Stamp = tuple[tuple[int, ...], ...]
_STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def stamp_of(spec: Spec) -> Stamp:
    """For each mount its device and inode, and of a file that is only read its time and size as well.

    A tool's file that was edited must not be served by a process that imported it before. Raises SandboxRefused for a
    mount that is gone.
    """
    return tuple(_stamp(mount) for mount in spec.mounts)


def _stamp(mount: Mount) -> tuple[int, ...]:
    try:
        state = os.lstat(mount.source)
    except OSError as error:
        raise _gone(mount, error) from None
    if stat.S_ISREG(state.st_mode) and not mount.write:
        return state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size
    return state.st_dev, state.st_ino


def mounted_files(mounts: Sequence[Mount]) -> dict[str, list[int]]:
    """Target → device and inode of what its source is when no link on the way is followed.

    A tool that may write to a folder can swap a folder below it and a link while a container is being started. What
    the container then has mounted is not what this says. Raises SandboxRefused for a link on the way.
    """
    found: dict[str, list[int]] = {}
    for mount in mounts:
        try:
            state = _without_links(mount.source)
        except OSError as error:
            raise _gone(mount, error) from None
        if stat.S_ISLNK(state.st_mode):
            raise SandboxRefused(
                f"{mount.source} has become a link", fix="look at who put it there, and remove it"
            ) from None
        found[mount.target] = [state.st_dev, state.st_ino]
    return found


def _without_links(path: Path) -> os.stat_result:
    place = os.open("/", _STEP)
    try:
        for part in path.parts[1:]:
            inner = os.open(part, _STEP, dir_fd=place)  # a link on the way is no folder, and the next step fails
            os.close(place)
            place = inner
        return os.fstat(place)
    finally:
        os.close(place)


def _gone(mount: Mount, error: OSError) -> SandboxRefused:
    return SandboxRefused(f"{mount.source} cannot be mounted: {error}", fix="put it back and try again")
