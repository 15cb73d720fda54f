"""A tool's file that reaches for what is not its own: files, privileges, the runner, secrets.

Runs inside a sandbox only; ``reaching.py`` and ``keeping_secrets.py`` say what must come of it.
"""

# ruff: noqa: BLE001, PTH115, PTH208, S108

import contextlib
import ctypes
import errno
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bailiwick import secret, tool

TMP = Path("/tmp")
LIBC: Any = ctypes.CDLL(None, use_errno=True)


def outcome(act: Callable[[], Any]) -> str:
    """``done``, or the name of the error that stopped it."""
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:
        return type(error).__name__
    return "done"


@tool
def write_everywhere() -> dict[str, str]:
    """Write to every place that is not the tool's own."""
    places = [
        "/x",
        "/usr/local/lib/x",
        "/bailiwick/x",
        "/bailiwick/start.py",
        "/etc/passwd",
        "/dev/x",
        "/proc/x",
        "/sys/x",
    ]
    places += [
        "/tool/x",
        __file__,
        "/work/x",
        "/work/data/read/x",
        "/work/data/read/file.txt",
        "/site/x",
        "/lib/x",
        "/dev/shm/x",
        "/dev/mqueue/x",
    ]
    return {place: outcome(lambda place=place: Path(place).open("ab").close()) for place in places}


@tool
def unmake_everything() -> dict[str, str]:
    """Remove, rename, relink and re-own what is not the tool's own."""
    read = Path("/work/data/read/file.txt")
    read.read_text()  # which it may
    return {
        "unlink": outcome(read.unlink),
        "rename": outcome(lambda: read.rename(read.with_name("gone"))),
        "replace": outcome(lambda: read.with_name("other").symlink_to("/etc")),
        "chmod": outcome(lambda: read.chmod(0o777)),
        "chown": outcome(lambda: os.chown(read, os.getuid(), os.getgid())),
        "utime": outcome(lambda: os.utime(read, (0, 0))),
        "tool": outcome(lambda: Path(__file__).unlink()),
    }


@tool
def read_links() -> dict[str, str]:
    """Follow links that lie in mounted folders and lead out of them."""
    folder = Path("/work/data/read")
    return {path.name: outcome(path.read_bytes) for path in folder.iterdir() if path.is_symlink()}


@tool
def show_status() -> dict[str, Any]:
    """Who this process is, and what it may."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    return {
        **{name: status[name].strip() for name in names},
        "uids": os.getresuid(),
        "gids": os.getresgid(),
        "groups": os.getgroups(),
    }


@tool
def regain_privileges() -> dict[str, str]:
    """Become somebody else, by calls and by a file that is run as root."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    every = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)

    def c(result: int) -> None:
        if result == -1:
            raise OSError(ctypes.get_errno(), "refused")

    script = TMP / "suid"
    script.touch()
    return {
        "setuid": outcome(lambda: os.setuid(0)),
        "setreuid": outcome(lambda: os.setreuid(0, 0)),
        "setgid": outcome(lambda: os.setgid(0)),
        "setgroups": outcome(lambda: os.setgroups([0])),
        "capset": outcome(lambda: c(LIBC.capset(header, every))),
        "ambient": outcome(lambda: c(LIBC.prctl(47, 2, 21, 0, 0))),  # PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN
        "new privileges": outcome(lambda: c(LIBC.prctl(38, 0, 0, 0, 0))),  # PR_SET_NO_NEW_PRIVS, off
        "chown to root": outcome(lambda: os.chown(script, 0, 0)),
    }


@tool
def find_setuid_files() -> list[str]:
    """Files anywhere that would run as somebody else, or with capabilities."""
    found: list[str] = []
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if Path(folder, name) not in (Path("/proc"), Path("/sys"))]
        for name in files:
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                if path.lstat().st_mode & 0o6000 or "security.capability" in os.listxattr(path, follow_symlinks=False):
                    found.append(str(path))
    return found


@tool
def pry_into_the_runner() -> dict[str, str]:
    """Read or rewrite the process that reports on this one."""
    return {
        "mem": outcome(lambda: Path("/proc/1/mem").open("r+b").close()),
        "environ": outcome(lambda: Path("/proc/1/environ").read_bytes()),
        "maps": outcome(lambda: Path("/proc/1/maps").read_bytes()),
        "auxv": outcome(lambda: Path("/proc/1/auxv").read_bytes()),
        "stack": outcome(lambda: Path("/proc/1/syscall").read_bytes()),
        "fd": outcome(lambda: os.listdir("/proc/1/fd")),
        "write stdin": outcome(lambda: Path("/proc/1/fd/3").open("wb").close()),
        "root": outcome(lambda: os.listdir("/proc/1/root/")),
        "cwd": outcome(lambda: os.listdir("/proc/1/cwd/")),
        "oom_score_adj": outcome(lambda: Path("/proc/1/oom_score_adj").write_text("1000")),
    }


@tool
def raise_limits() -> dict[str, str]:
    """Take limits off this process and the runner, and leave the place among those that are killed first."""
    infinite = resource.RLIM_INFINITY

    def raise_hard(pid: int, name: int) -> None:
        hard = resource.prlimit(pid, name)[1]
        wanted = infinite if hard != infinite else hard
        if wanted == hard:
            raise PermissionError(errno.EPERM, "there is nothing to raise")
        resource.prlimit(pid, name, (wanted, wanted))

    files, processes, core = resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE
    return {
        **{f"own {name}": outcome(lambda name=name: raise_hard(0, name)) for name in (files, processes, core)},
        **{f"runner's {name}": outcome(lambda name=name: raise_hard(1, name)) for name in (files, processes)},
        "oom_score_adj": outcome(lambda: Path("/proc/self/oom_score_adj").write_text("-1000")),
        "oom_score_adj a little": outcome(lambda: Path("/proc/self/oom_score_adj").write_text("-1")),
        "oom_adj": outcome(lambda: Path("/proc/self/oom_adj").write_text("-17")),
        "nice": outcome(lambda: os.setpriority(os.PRIO_PROCESS, 0, -10)),
        "real time": outcome(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
    }


@tool
def stop_the_runner() -> str:
    """Kill and stop process 1, which must shrug."""
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGABRT):
        with contextlib.suppress(OSError):
            os.kill(1, number)
    return "still answering"


@tool
def show_descriptors() -> dict[str, str]:
    """Every open descriptor and where it leads."""
    found: dict[str, str] = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that listed them
            found[name] = os.readlink(f"/proc/self/fd/{name}")
    return found


@tool
def find_the_secret(name: str) -> dict[str, Any]:
    """Where the secret shows, besides where it was asked for."""
    value = secret(name)
    wanted = value.encode()
    places = [f"/proc/{pid}/{file}" for pid in ("1", "self") for file in ("environ", "cmdline")]
    seen: list[str] = []
    for place in places:
        with contextlib.suppress(OSError):
            if wanted in Path(place).read_bytes():
                seen.append(place)
    if value in os.environ.values():
        seen.append("os.environ")
    for folder in ("/run", "/etc", "/tmp", "/bailiwick"):
        for path in Path(folder).rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file() and wanted in path.read_bytes():
                    seen.append(str(path))
    return {"length": len(value), "seen": seen}


@tool
def use_the_secret(name: str, file: str, seconds: float) -> int:
    """Hold a secret for a while, print it, and say by ``file`` that it is held."""
    value = secret(name)
    sys.stdout.write(value + "\n")
    sys.stdout.flush()
    Path(file).write_text("held")
    time.sleep(seconds)
    return len(value)


@tool
def scan_for_secrets() -> list[str]:
    """Everything that looks like a secret of these attacks: in this process's memory, in /proc, in files."""
    looks = re.compile(b"bailiwick-[s]ecret-[0-9a-f]{32}")
    found: set[bytes] = set()
    with Path("/proc/self/mem").open("rb", buffering=0) as memory:
        for line in Path("/proc/self/maps").read_text().splitlines():
            start, end = (int(number, 16) for number in line.split()[0].split("-"))
            if line.split()[1].startswith("rw") and end - start < 2**26:
                with contextlib.suppress(OSError, OverflowError, ValueError):
                    memory.seek(start)
                    found |= set(looks.findall(memory.read(end - start)))
    places = [
        Path("/proc", pid, name) for pid in os.listdir("/proc") for name in ("environ", "cmdline") if pid.isdecimal()
    ]
    for folder in ("/tmp", "/run", "/dev/shm", "/etc", "/bailiwick", "/work"):
        places += Path(folder).rglob("*")
    for place in places:
        with contextlib.suppress(OSError):
            if place.is_file():
                found |= set(looks.findall(place.read_bytes()[: 2**20]))
    return sorted(each.decode() for each in found)


@tool
def show_surroundings() -> dict[str, Any]:
    """Environment, import path and what lies in /tmp."""
    return {
        "environment": dict(os.environ),
        "path": sys.path,
        "tmp": sorted(os.listdir("/tmp")),
        "flags": {"isolated": sys.flags.isolated, "ignore_environment": sys.flags.ignore_environment},
        "processes": sum(name.isdecimal() for name in os.listdir("/proc")),
    }


@tool
def leave_state() -> list[str]:
    """Leave whatever the next call might find."""
    (TMP / "left").write_text("left")
    (TMP / "sitecustomize.py").write_text("raise SystemExit")
    os.environ["LEFT"] = "left"
    sys.modules["json"] = None  # type: ignore[assignment]
    return sorted(os.listdir("/tmp"))
