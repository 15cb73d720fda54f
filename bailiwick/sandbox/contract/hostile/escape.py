"""A tool's file that goes the ways by which containers were left: descriptors, executables, /proc, /sys, engines.

What would change a kernel is opened for writing and not written: being able to open it is the breach.
Runs inside a sandbox only; ``escaping.py`` says what must come of it.
"""

# ruff: noqa: BLE001, PTH102, PTH109, PTH116, PTH208, S108

import contextlib
import errno
import fcntl
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bailiwick import tool

KNOBS = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/domainname",
    "/proc/sys/kernel/shmmax",
    "/proc/sys/kernel/yama/ptrace_scope",
    "/proc/sys/kernel/unprivileged_bpf_disabled",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/panic_on_oom",
    "/proc/sys/fs/file-max",
    "/proc/sys/fs/suid_dumpable",
    "/proc/sys/fs/binfmt_misc/register",
    "/proc/sys/fs/binfmt_misc/status",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/user/max_user_namespaces",
    "/proc/sysrq-trigger",
    "/proc/irq/0/smp_affinity",
    "/proc/irq/default_smp_affinity",
    "/proc/bus/pci/00/00.0",
    "/proc/mtrr",
    "/sys/kernel/uevent_helper",
    "/sys/kernel/vmcoreinfo",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/kernel/debug/sched/features",
    "/sys/power/state",
    "/sys/module/kernel/parameters/panic",
    "/sys/firmware/efi/vars",
    "/sys/class/net/lo/mtu",
)
MASKED = (
    "/proc/kcore",
    "/proc/keys",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/latency_stats",
    "/proc/kmsg",
    "/proc/kpagecount",
    "/proc/vmallocinfo",
    "/proc/slabinfo",
    "/proc/kallsyms",
    "/proc/acpi",
    "/proc/asound",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/kernel/debug",
    "/sys/kernel/tracing",
    "/sys/kernel/security",
    "/sys/devices/virtual/powercap",
)
DEVICES = (
    *("/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/loop0"),
    *(
        "/dev/fuse",
        "/dev/kvm",
        "/dev/net/tun",
        "/dev/uinput",
        "/dev/vhost-vsock",
        "/dev/userfaultfd",
        "/dev/mapper/control",
    ),
    *("/dev/dri/card0", "/dev/nvidia0", "/dev/tty0", "/dev/tty1", "/dev/console", "/dev/pts/0", "/dev/tty"),
)
HOST_FILES = ("/etc/shadow", "/root/.ssh/id_rsa", "/root/.bash_history", "/etc/machine-id", "/var/log/syslog", "/boot")
REAL = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}


def outcome(act: Callable[[], Any]) -> str:
    """``done``, or the name of the error that stopped it."""
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:
        return type(error).__name__
    return "done"


def open_to_write(path: str) -> None:
    """Open, write nothing, close."""
    os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK))


def must_tell_nothing(path: str) -> None:
    """Read a file or list a folder. Raises EACCES where it is there and holds nothing."""
    if Path(path).is_dir():
        told: Any = os.listdir(path)
    else:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            told = os.read(descriptor, 256)
        finally:
            os.close(descriptor)
    if not told or (path == "/proc/kallsyms" and told.startswith(b"0000000000000000 ")):
        raise PermissionError(errno.EACCES, "it is empty")


@tool
def turn_knobs() -> dict[str, str]:
    """Open the kernel's settings for writing."""
    return {path: outcome(lambda path=path: open_to_write(path)) for path in KNOBS}


@tool
def read_what_is_masked() -> dict[str, str]:
    """Read what the kernel tells of the host."""
    return {path: outcome(lambda path=path: must_tell_nothing(path)) for path in MASKED}


@tool
def open_devices() -> dict[str, str]:
    """Open devices and terminals; those that are there must be what their names say."""

    def must_be(name: str, numbers: tuple[int, int]) -> None:
        state = os.stat(f"/dev/{name}")
        if stat.S_ISCHR(state.st_mode) and (os.major(state.st_rdev), os.minor(state.st_rdev)) == numbers:
            raise PermissionError(errno.EACCES, "it is what its name says")

    def type_for_somebody() -> None:
        with Path("/dev/tty").open("wb") as terminal:
            fcntl.ioctl(terminal, 0x5412, b"x")  # TIOCSTI

    return {
        **{path: outcome(lambda path=path: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))) for path in DEVICES},
        **{f"/dev/{name} is another": outcome(lambda n=name, to=to: must_be(n, to)) for name, to in REAL.items()},
        "TIOCSTI": outcome(type_for_somebody),
    }


@tool
def read_the_host() -> dict[str, str]:
    """Read files that only a host has."""
    return {path: outcome(lambda path=path: must_tell_nothing(path)) for path in HOST_FILES}


@tool
def find_engines(sockets: list[str]) -> dict[str, str]:
    """Connect to whoever could start another container."""

    def connect(address: str) -> None:
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(1)
            one.connect(address)

    def foreign_abstract_sockets() -> None:
        """CVE-2020-15257: those of containerd's shims could be reached from a container with the host's network."""
        names = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:] if "@" in line]
        if not names:
            raise PermissionError(errno.EACCES, "there is none")

    def run_folder() -> None:
        left = [name for name in os.listdir("/run") if name not in ("secrets",)]
        if not left:
            raise PermissionError(errno.EACCES, "it is empty")

    return {
        **{path: outcome(lambda path=path: connect(path)) for path in sockets},
        "abstract": outcome(foreign_abstract_sockets),
        "/run": outcome(run_folder),
    }


@tool
def walk_out(sentinel: str) -> dict[str, str]:
    """Reach ``sentinel``, a file of the host's, upwards from every folder that a process holds (CVE-2024-21626)."""
    starts = ["/", "/proc/self/cwd", "/proc/1/cwd", "/proc/self/root", "/proc/1/root", "/proc/self/task/1/root"]
    starts += [f"/proc/{pid}/fd/{number}" for pid in ("self", "1") for number in range(64)]
    up = "../" * 16

    def from_descriptor(number: int) -> None:
        os.close(os.open(up + sentinel.lstrip("/"), os.O_RDONLY, dir_fd=number))

    def change_to(start: str) -> None:
        here = os.getcwd()
        try:
            os.chdir(start)
            Path(up + sentinel.lstrip("/")).read_bytes()
        finally:
            os.chdir(here)

    return {
        **{start: outcome(lambda start=start: Path(start, up + sentinel.lstrip("/")).read_bytes()) for start in starts},
        **{f"openat {number}": outcome(lambda number=number: from_descriptor(number)) for number in range(64)},
        **{f"chdir {start}": outcome(lambda start=start: change_to(start)) for start in starts},
    }


@tool
def overwrite_executables() -> dict[str, str]:
    """Open for writing what runs this process and the runner, directly and by a held path (CVE-2019-5736)."""

    def by_held_path(path: str) -> None:
        held = os.open(path, os.O_PATH)
        try:
            open_to_write(f"/proc/self/fd/{held}")
        finally:
            os.close(held)

    def kept(act: Callable[[], None], path: str) -> str:
        """That a file is just being run stops nobody for good, unless the file system cannot be written at all."""
        end = outcome(act)
        if end == "ETXTBSY" and os.statvfs(path).f_flag & os.ST_RDONLY:
            return "EROFS"
        return end

    library = next(
        (line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libc.so" in line), ""
    )
    paths = ["/proc/self/exe", os.path.realpath(sys.executable), library or os.__file__, "/bailiwick/start.py"]
    found = {path: kept(lambda path=path: open_to_write(path), path) for path in paths}
    found |= {f"held {path}": kept(lambda path=path: by_held_path(path), path) for path in paths}
    with contextlib.suppress(OSError):
        os.statvfs("/proc/1/exe")
        found["/proc/1/exe"] = kept(lambda: open_to_write("/proc/1/exe"), "/proc/1/exe")
    return found


@tool
def leave_the_cgroup() -> dict[str, str]:
    """Write to the files of control groups, or make another group, from which limits do not follow."""
    root = Path("/sys/fs/cgroup")
    names = ("release_agent", "notify_on_release", "cgroup.procs", "tasks", "memory.max", "pids.max", "cpu.max")
    names += (
        "cgroup.kill",
        "cgroup.freeze",
        "cgroup.subtree_control",
        "memory.limit_in_bytes",
        "cgroup.clone_children",
    )
    folders = [root]
    with contextlib.suppress(OSError):
        folders += [path for path in sorted(root.iterdir()) if path.is_dir()]
    files = [folder / name for folder in folders for name in names]
    return {
        **{str(file): outcome(lambda file=file: open_to_write(str(file))) for file in files},
        **{f"mkdir {folder}/new": outcome(lambda folder=folder: os.mkdir(folder / "new")) for folder in folders},
    }


@tool
def make_devices() -> dict[str, str]:
    """Make device files wherever a file can be made."""
    rows = {"null": (stat.S_IFCHR, 1, 3), "memory": (stat.S_IFCHR, 1, 1), "disk": (stat.S_IFBLK, 7, 0)}
    return {
        f"{folder}/{name}": outcome(
            lambda f=folder, n=name, r=row: os.mknod(f"{f}/{n}", 0o600 | r[0], os.makedev(*r[1:]))
        )
        for folder in ("/work/data/write", "/tmp")
        for name, row in rows.items()
    }
