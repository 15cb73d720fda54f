"""A tool's file that reaches for what is not its own: files, networks, the kernel, the runner, the host.

Runs inside a sandbox only; ``attacks.py`` says what must come of it.
"""

# ruff: noqa: BLE001, PTH115, PTH208, S108

import contextlib
import ctypes
import errno
import os
import platform
import signal
import socket
import sys
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
def reach_out(host_address: str, host_port: int) -> dict[str, str]:
    """Reach anything over a network."""

    def connect(family: int, address: Any, kind: int = socket.SOCK_STREAM) -> None:
        with socket.socket(family, kind) as one:
            one.settimeout(1)
            one.connect(address)
            one.send(b"x")

    inet, inet6, udp = socket.AF_INET, socket.AF_INET6, socket.SOCK_DGRAM
    return {
        "internet": outcome(lambda: connect(inet, ("1.1.1.1", 443))),
        "internet udp": outcome(lambda: connect(inet, ("1.1.1.1", 53), udp)),
        "internet v6": outcome(lambda: connect(inet6, ("2606:4700:4700::1111", 443))),
        "metadata": outcome(lambda: connect(inet, ("169.254.169.254", 80))),
        "host": outcome(lambda: connect(inet, (host_address, host_port))),
        "loopback of the host": outcome(lambda: connect(inet, ("127.0.0.1", host_port))),
        "name": outcome(lambda: socket.getaddrinfo("example.com", 443)),
    }


@tool
def open_sockets() -> dict[str, str]:
    """Open sockets of families that lead around a network namespace or into the kernel."""
    families = {"netlink": 16, "packet": 17, "alg": 38, "vsock": 40, "bluetooth": 31, "xdp": 44, "tipc": 30, "can": 29}
    found = {
        name: outcome(lambda family=family: socket.socket(family, socket.SOCK_RAW)) for name, family in families.items()
    }
    found["vsock stream"] = outcome(lambda: socket.socket(40, socket.SOCK_STREAM))
    found["raw"] = outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
    return found


CALLS: dict[str, tuple[int, int, tuple[Any, ...]]] = {
    # name: (x86_64, aarch64, arguments)
    "mount": (165, 40, (b"none", b"/tmp", b"tmpfs", 0, 0)),
    "umount2": (166, 39, (b"/tmp", 2)),
    "pivot_root": (155, 41, (b"/tmp", b"/tmp")),
    "chroot": (161, 51, (b"/tmp",)),
    "move_mount": (429, 429, (-100, b"/tmp", -100, b"/work", 0)),
    "open_tree": (428, 428, (-100, b"/tmp", 1)),
    "fsopen": (430, 430, (b"tmpfs", 0)),
    "unshare user": (272, 97, (0x10000000,)),
    "unshare mount": (272, 97, (0x00020000,)),
    "unshare net": (272, 97, (0x40000000,)),
    "clone3": (435, 435, (0, 0)),
    "setns": (308, 268, (0, 0)),
    "ptrace attach": (101, 117, (16, 1, 0, 0)),
    "process_vm_readv": (310, 270, (1, 0, 0, 0, 0, 0)),
    "pidfd_getfd": (438, 438, (0, 0, 0)),
    "kcmp": (312, 272, (1, 1, 0, 0, 0)),
    "bpf": (321, 280, (0, 0, 0)),
    "io_uring_setup": (425, 425, (1, 0)),
    "io_uring_enter": (426, 426, (0, 0, 0, 0, 0, 0)),
    "userfaultfd": (323, 282, (1,)),
    "perf_event_open": (298, 241, (0, 0, -1, -1, 0)),
    "keyctl": (250, 219, (0, -3, 0)),
    "add_key": (248, 217, (b"user", b"x", b"y", 1, -3)),
    "request_key": (249, 218, (b"user", b"x", 0, 0)),
    "open_by_handle_at": (304, 265, (0, 0, 0)),
    "name_to_handle_at": (303, 264, (-100, b"/tmp", 0, 0, 0)),
    "init_module": (175, 105, (0, 0, b"")),
    "finit_module": (313, 273, (0, b"", 0)),
    "kexec_load": (246, 104, (0, 0, 0, 0)),
    "reboot": (169, 142, (0, 0, 0, 0)),
    "syslog": (103, 116, (3, 0, 0)),
    "swapon": (167, 224, (b"/tmp/x", 0)),
    "acct": (163, 89, (0,)),
    "quotactl": (179, 60, (0, 0, 0, 0)),
    "settimeofday": (164, 170, (0, 0)),
    "sethostname": (170, 161, (b"x", 1)),
    "fanotify_init": (300, 262, (0, 0)),
    "personality": (135, 92, (0x0040000,)),
    "seccomp": (317, 277, (1, 0, 0)),
    "shmget": (29, 194, (0, 4096, 0o1600)),
}


@tool
def call_the_kernel() -> dict[str, str]:
    """Make system calls that a tool has no use for."""
    x86_64 = platform.machine() == "x86_64"

    def call(number: int, arguments: tuple[Any, ...]) -> None:
        ctypes.set_errno(0)
        if LIBC.syscall(number, *arguments) == -1:
            raise OSError(ctypes.get_errno(), "")

    return {name: outcome(lambda row=row: call(row[0] if x86_64 else row[1], row[2])) for name, row in CALLS.items()}


@tool
def show_privileges() -> dict[str, Any]:
    """What this process may."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    return {
        **{name: status[name].strip() for name in names},
        "uids": os.getresuid(),
        "gids": os.getresgid(),
        "groups": os.getgroups(),
        "setuid": outcome(lambda: os.setuid(0)),
        "setgid": outcome(lambda: os.setgid(0)),
        "setgroups": outcome(lambda: os.setgroups([0])),
        "mknod": outcome(lambda: os.mknod(TMP / "null", 0o600 | 0o020000, os.makedev(1, 3))),
    }


@tool
def pry_into_the_runner() -> dict[str, str]:
    """Read, stop or rewrite the process that reports on this one."""
    return {
        "mem": outcome(lambda: Path("/proc/1/mem").open("r+b").close()),
        "environ": outcome(lambda: Path("/proc/1/environ").read_bytes()),
        "fd": outcome(lambda: os.listdir("/proc/1/fd")),
        "write stdin": outcome(lambda: Path("/proc/1/fd/3").open("wb").close()),
        "root": outcome(lambda: os.listdir("/proc/1/root/")),
        "exe": outcome(lambda: Path("/proc/1/exe").open("r+b").close()),
        "own exe": outcome(lambda: Path("/proc/self/exe").open("r+b").close()),
        "oom_score_adj": outcome(lambda: Path("/proc/1/oom_score_adj").write_text("1000")),
    }


@tool
def stop_the_runner() -> str:
    """Kill and stop process 1, which must shrug."""
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGABRT):
        with contextlib.suppress(OSError):
            os.kill(1, number)
    return "still answering"


@tool
def touch_the_host() -> dict[str, str]:
    """Touch kernel knobs, devices and engine sockets."""
    writes = [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
        "/sys/fs/cgroup/release_agent",
        "/sys/fs/cgroup/memory/release_agent",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/pids/pids.max",
    ]
    reads = ["/proc/kcore", "/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/fuse", "/dev/kvm", "/etc/shadow"]
    sockets = ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/systemd/private"]

    def connect(path: str) -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(path)

    return {
        **{f"write {path}": outcome(lambda path=path: Path(path).open("r+b").close()) for path in writes},
        **{f"read {path}": outcome(lambda path=path: Path(path).open("rb").read(1)) for path in reads},
        **{f"connect {path}": outcome(lambda path=path: connect(path)) for path in sockets},
    }


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
