"""Whose a container or a folder is: marks by which a later process recognises what a dead one left, and only that.

A pid alone is given out again; with the time it started, the boot, the host and the pid namespace it names one process.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bailiwick.errors import SandboxUnavailable

__all__ = [
    "MARK",
    "abandoned",
    "machine",
    "own_folder",
    "owner_labels",
    "process_started",
    "remove_abandoned_folders",
    "runtime_folder",
]

MARK = "bailiwick.machine"
_BOOT, _PID, _STARTED = "bailiwick.boot", "bailiwick.owner.pid", "bailiwick.owner.started"
_SPEC, _EXPIRES = "bailiwick.spec", "bailiwick.expires"
_DAY = 86_400.0
_OWNED = re.compile(r"(\d+)-(\d+)-(\d+)")
_SOCKET_PATH, _ROOM = 107, 40
"""Bytes that a kernel takes as the path of a socket, and those of them that are left to names in ``own_folder``."""


def owner_labels(spec_digest: str, *, lifetime: float = _DAY) -> dict[str, str]:
    """Labels that name this process for good.

    ``lifetime``: seconds after which the container has certainly ended by itself, by its runner's own deadlines.
    """
    pid, expires = os.getpid(), int(time.time() + lifetime)
    owner = {MARK: machine(), _BOOT: _boot(), _PID: str(pid), _STARTED: process_started(pid)}
    return {**owner, _SPEC: spec_digest, _EXPIRES: str(expires)}


def abandoned(labels: Mapping[str, str], *, running: bool = True) -> bool:
    """Whether nobody will ever use or remove the container that bears ``labels``.

    On this machine: its owner is dead. A live owner removes its own, however old they are. What another machine or pid
    namespace made is theirs while it runs, for its owner cannot be asked after; once it has ended by itself and is past
    its expiry nobody needs it any more (a Bailiwick that itself runs in a container gets a new name at every start).
    """
    if MARK not in labels:
        return False
    if labels[MARK] != machine():
        expires = labels.get(_EXPIRES, "")
        return not running and expires.isdecimal() and int(expires) < time.time()
    if labels.get(_BOOT) != _boot():
        return True
    pid = labels.get(_PID, "")
    return not pid.isdecimal() or process_started(int(pid)) != labels.get(_STARTED)


def machine() -> str:
    """The host and the pid namespace: within it a pid means one process."""
    return f"{socket.gethostname()}/{Path('/proc/self/ns/pid').readlink()}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def process_started(pid: int) -> str:
    """When ``pid`` started, in clock ticks since boot; empty when there is no such process, or only its zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in ("Z", "X") else fields[19]
    except (OSError, IndexError):
        return ""


def runtime_folder() -> Path:
    """This user's folder for what lives no longer than a process.

    ``$XDG_RUNTIME_DIR/bailiwick``, else ``bailiwick-<uid>`` in the temp folder; made where it is missing, for this
    user alone. Raises SandboxUnavailable when somebody else's folder, or a link, is in its place.
    """
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    shared = Path(given) if given and Path(given).is_dir() and os.access(given, os.W_OK) else None
    folder = shared / "bailiwick" if shared else Path(tempfile.gettempdir(), f"bailiwick-{os.getuid()}")
    return _private(folder)


def own_folder() -> Path:
    """This process's folder in ``runtime_folder()``, made where it is missing; short enough for a socket in it.

    Names in it may have 40 bytes. Who uses it removes what they put there; the folder of a process that was killed is
    removed by a later one. Raises SandboxUnavailable.
    """
    pid = os.getpid()
    folder = runtime_folder() / f"{pid}-{process_started(pid)}-{_namespace()}"
    if len(os.fsencode(folder)) + 1 + _ROOM > _SOCKET_PATH:
        raise SandboxUnavailable(
            f"{folder} is too long a path for a socket in it, of which the kernel takes {_SOCKET_PATH} bytes",
            fix="set XDG_RUNTIME_DIR or TMPDIR to a folder with a short path",
        )
    return _private(folder)


def remove_abandoned_folders() -> list[Path]:
    """Remove the folders of this user's dead processes, without following a link; what was removed.

    Processes of another pid namespace cannot be asked after: their folders bear its number, and stay.
    """
    removed: list[Path] = []
    for folder in runtime_folder().iterdir():
        match = _OWNED.fullmatch(folder.name)
        if match is None or match[3] != _namespace() or process_started(int(match[1])) == match[2]:
            continue
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(folder.lstat().st_mode):
                shutil.rmtree(folder)  # refuses a link, and goes by descriptors, so that none can be slipped in
                removed.append(folder)
    return removed


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def _private(folder: Path) -> Path:
    """Make ``folder`` where it is missing, and see to it that nobody else may enter it."""
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    except OSError as error:
        raise SandboxUnavailable(
            f"{folder} cannot be made: {error.strerror}", fix="set XDG_RUNTIME_DIR to a folder of your own"
        ) from None
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise SandboxUnavailable(
            f"{folder} is not a folder of this user's own",
            fix="look at who put it there and remove it, or set XDG_RUNTIME_DIR to a folder of your own",
        )
    if stat.S_IMODE(state.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder
