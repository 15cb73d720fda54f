"""A tool's file that leaves things for the next call, for the host and for the next container to stumble over.

Runs inside a sandbox only; ``leaving.py`` says what must come of it.
"""

# ruff: noqa: BLE001, PTH106, PTH211, S108

import builtins
import ctypes
import errno
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bailiwick import tool

WRITE, OUTPUT = Path("/work/data/write"), Path("/tmp/output")
PLANT = "import builtins\nbuiltins.planted = True\n"


def outcome(act: Callable[[], Any]) -> str:
    """``done``, or the name of the error that stopped it."""
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:
        return type(error).__name__
    return "done"


def put(path: Path, text: str) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@tool
def plant_code() -> dict[str, str]:
    """Put code wherever an interpreter or a loader might look when the next call starts."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    user_site, own_site = (
        Path(f"/tmp/.local/lib/{version}/site-packages"),
        Path(f"/usr/local/lib/{version}/site-packages"),
    )
    modules = ("sitecustomize.py", "usercustomize.py", "colorsys.py", "bailiwick.py", "start.py", "planted.pth")
    places = [folder / name for folder in (WRITE, Path("/tmp"), Path("/work"), Path("/site")) for name in modules]
    places += [site / name for site in (user_site, own_site) for name in ("usercustomize.py", "planted.pth")]
    places += [
        Path("/etc/ld.so.preload"),
        Path("/bailiwick/lib/colorsys.py"),
        Path("/tmp/.pythonrc.py"),
        Path("/tmp/pyvenv.cfg"),
    ]
    texts = {".pth": "import builtins; builtins.planted = True\n", ".preload": "/work/data/write/planted.so\n"}
    os.environ |= {
        "PYTHONPATH": str(WRITE),
        "PYTHONSTARTUP": str(WRITE / "sitecustomize.py"),
        "PYTHONHOME": str(WRITE),
        "LD_PRELOAD": str(WRITE / "planted.so"),
        "LD_LIBRARY_PATH": str(WRITE),
    }
    return {str(place): outcome(lambda place=place: put(place, texts.get(place.suffix, PLANT))) for place in places}


@tool
def look_for_planted_code() -> dict[str, Any]:
    """Whether anything that an earlier call planted has run, or would."""
    import colorsys  # as good as any: which file a module comes from

    module = colorsys.__file__ or ""
    return {
        "ran": hasattr(builtins, "planted"),
        "module": "" if module.startswith("/usr/local/lib/python") else module,
        "environment": sorted(name for name in os.environ if name.startswith(("PYTHON", "LD_"))),
        "path": [each for each in sys.path if not each.startswith(("/usr/local/lib/python", "/bailiwick/lib"))],
        "preload": Path("/etc/ld.so.preload").exists(),
    }


@tool
def leave_state(word: str) -> dict[str, str]:
    """Leave ``word`` wherever another call might find it."""
    libc: Any = ctypes.CDLL(None, use_errno=True)

    def keep_key() -> None:
        number = 248 if os.uname().machine == "x86_64" else 217
        if libc.syscall(number, b"user", word.encode(), word.encode(), len(word), -4) == -1:
            raise OSError(ctypes.get_errno(), "add_key")

    def keep_shared_memory() -> None:
        if libc.shmget(0xBA11, 4096, 0o1666) == -1:
            raise OSError(ctypes.get_errno(), "shmget")

    def keep_socket() -> None:
        if os.fork() == 0:
            os.setsid()
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(f"\0{word}")
                one.listen()
                one.accept()

    return {
        "tmp": outcome(lambda: put(Path("/tmp", word), word)),
        "shm": outcome(lambda: put(Path("/dev/shm", word), word)),
        "mqueue": outcome(lambda: put(Path("/dev/mqueue", word), word)),
        "run": outcome(lambda: put(Path("/run", word), word)),
        "key": outcome(keep_key),
        "shared memory": outcome(keep_shared_memory),
        "abstract socket": outcome(keep_socket),
    }


@tool
def find_state(word: str) -> list[str]:
    """Where ``word`` can be found."""
    found = [
        folder for folder in ("/tmp", "/dev/shm", "/dev/mqueue", "/run", "/var/tmp") if Path(folder, word).exists()
    ]
    libc: Any = ctypes.CDLL(None, use_errno=True)
    number = 249 if os.uname().machine == "x86_64" else 218
    if libc.syscall(number, b"user", word.encode(), 0, 0) != -1:
        found.append("key")
    if libc.shmget(0xBA11, 4096, 0o666) != -1:
        found.append("shared memory")
    with socket.socket(socket.AF_UNIX) as one:
        if outcome(lambda: one.connect(f"\0{word}")) == "done":
            found.append("abstract socket")
    return found


@tool
def leave_links(target: str, folder: str) -> str:
    """Replace ``folder``, which the next call will mount, by a link to ``target`` on the host."""
    os.rmdir(folder)
    os.symlink(target, folder)
    return "linked"


@tool
def swap_links(target: str, folder: str, seconds: float) -> int:
    """Exchange ``folder``, which other calls mount meanwhile, and a link to ``target``, as fast as it goes."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    number, exchange = 316 if os.uname().machine == "x86_64" else 276, 2
    link = f"{folder}-link"
    os.symlink(target, link)
    until, times = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        if libc.syscall(number, -100, folder.encode(), -100, link.encode(), exchange) == -1:
            raise OSError(ctypes.get_errno(), "renameat2")
        times += 1
    return times


@tool
def read_through(folder: str) -> list[str]:
    """What lies in the folder that was mounted."""
    return [file.read_text() for file in Path(folder).iterdir() if file.is_file()]


@tool
def make_odd_files() -> dict[str, str]:
    """Fill the write folder with what blocks whoever opens it."""
    path = "result.json"

    def listen() -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(WRITE / "socket"))

    return {
        "fifo": outcome(lambda: os.mkfifo(WRITE / path)),
        "link to a fifo": outcome(lambda: os.symlink(path, WRITE / "linked.json")),
        "loop": outcome(lambda: os.symlink("loop", WRITE / "loop")),
        "link out": outcome(lambda: os.symlink("/dev/zero", WRITE / "endless")),
        "socket": outcome(listen),
    }


@tool
def answer() -> str:
    """Do nothing else."""
    return "answered"


@tool
def leave_odd_output() -> dict[str, str]:
    """Leave, beside one honest file, what leads elsewhere or blocks whoever takes it back."""
    folder = OUTPUT
    (folder / "honest.txt").write_text("honest")

    def listen() -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(folder / "socket"))

    (folder / "away").mkdir()
    return {
        "link to a file": outcome(lambda: os.symlink("/etc/passwd", folder / "passwd")),
        "link to the runner": outcome(lambda: os.symlink("/proc/1/environ", folder / "environ")),
        "link to a folder": outcome(lambda: os.symlink("/etc", folder / "etc")),
        "link to an endless device": outcome(lambda: os.symlink("/dev/zero", folder / "endless")),
        "loop": outcome(lambda: os.symlink("loop", folder / "loop")),
        "hard link": outcome(lambda: os.link(__file__, folder / "linked")),
        "fifo": outcome(lambda: os.mkfifo(folder / "fifo")),
        "socket": outcome(listen),
        "a name that climbs": outcome(lambda: (folder / "..\\..\\up").touch()),
        "a name that is no text": outcome(lambda: os.close(os.open(bytes(folder) + b"/\xff", os.O_CREAT))),
        "deep": outcome(lambda: (folder / "/".join("d" * 40)).mkdir(parents=True)),
        "closed folder": outcome(lambda: (folder / "away").chmod(0)),
    }


@tool
def leave_sparse_output(bytes_long: int) -> str:
    """Leave a file that takes no room and is read as so many zeros."""
    with (OUTPUT / "sparse").open("wb") as file:
        file.truncate(bytes_long)
    return "answered"


@tool
def replace_the_output_folder() -> str:
    """Put a link to another folder where the output folder was."""
    OUTPUT.rmdir()
    OUTPUT.symlink_to("/etc")
    return "answered"
