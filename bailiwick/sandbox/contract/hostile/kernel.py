"""A tool's file that asks the kernel for what no tool needs, by the numbers of its calls.

Arguments are null or harmless: a call that gets as far as looking at them was not refused, and nothing is changed.
Runs inside a sandbox only; ``kernel_calls.py`` says what must come of it.
"""

import ctypes
import errno
import os
import platform
import signal
import socket
from collections.abc import Callable
from typing import Any

from bailiwick import tool

LIBC: Any = ctypes.CDLL(None, use_errno=True)
NEW_USER, NEW_MOUNT, NEW_NET, NEW_PID, NEW_CGROUP, NEW_TIME = (
    *(0x10000000, 0x00020000, 0x40000000, 0x20000000),
    *(0x02000000, 0x00000080),
)
Call = tuple[int, int, tuple[Any, ...]]
"""Its number on x86_64, its number on aarch64, its arguments."""

CALLS: dict[str, dict[str, Call]] = {
    "mounting": {
        "mount": (165, 40, (b"none", b"/tmp", b"tmpfs", 0, 0)),
        "umount2": (166, 39, (b"/tmp", 2)),
        "pivot_root": (155, 41, (b"/tmp", b"/tmp")),
        "chroot": (161, 51, (b"/tmp",)),
        "move_mount": (429, 429, (-100, b"/tmp", -100, b"/work", 0)),
        "open_tree": (428, 428, (-100, b"/tmp", 1)),
        "fsopen": (430, 430, (b"tmpfs", 0)),
        "fspick": (433, 433, (-100, b"/tmp", 0)),
        "mount_setattr": (442, 442, (-100, b"/tmp", 0, 0, 0)),
        "swapon": (167, 224, (b"/tmp/x", 0)),
        "quotactl": (179, 60, (0, 0, 0, 0)),
    },
    "namespaces": {
        "unshare user": (272, 97, (NEW_USER,)),
        "unshare mount": (272, 97, (NEW_MOUNT,)),
        "unshare net": (272, 97, (NEW_NET,)),
        "unshare cgroup": (272, 97, (NEW_CGROUP,)),
        "unshare time": (272, 97, (NEW_TIME,)),
        "setns": (308, 268, (0, 0)),
        "clone3": (435, 435, (0, 0)),
    },
    "spying": {
        "ptrace attach": (101, 117, (16, 1, 0, 0)),
        "ptrace seize": (101, 117, (0x4206, 1, 0, 0)),
        "process_vm_readv": (310, 270, (1, 0, 0, 0, 0, 0)),
        "process_vm_writev": (311, 271, (1, 0, 0, 0, 0, 0)),
        "process_madvise": (440, 440, (0, 0, 0, 0, 0)),
        "pidfd_getfd": (438, 438, (0, 0, 0)),
        "kcmp": (312, 272, (1, 1, 0, 0, 0)),
        "perf_event_open": (298, 241, (0, 0, -1, -1, 0)),
        "lookup_dcookie": (212, 18, (0, 0, 0)),
        "move_pages": (279, 239, (1, 0, 0, 0, 0, 0)),
    },
    "kernel": {
        "bpf": (321, 280, (0, 0, 0)),
        "io_uring_setup": (425, 425, (1, 0)),
        "io_uring_enter": (426, 426, (0, 0, 0, 0, 0, 0)),
        "io_uring_register": (427, 427, (0, 0, 0, 0)),
        "userfaultfd": (323, 282, (1,)),
        "open_by_handle_at": (304, 265, (0, 0, 0)),
        "name_to_handle_at": (303, 264, (-100, b"/tmp", 0, 0, 0)),
        "init_module": (175, 105, (0, 0, b"")),
        "finit_module": (313, 273, (0, b"", 0)),
        "delete_module": (176, 106, (b"no such module", 0x800)),
        "kexec_load": (246, 104, (0, 0, 0, 0)),
        "kexec_file_load": (320, 294, (-1, -1, 0, 0, 0)),
        "reboot": (169, 142, (0, 0, 0, 0)),
        "syslog": (103, 116, (3, 0, 0)),
        "acct": (163, 89, (b"/tmp/none",)),
        "fanotify_init": (300, 262, (0, 0)),
        "personality": (135, 92, (0x0040000,)),
        "seccomp": (317, 277, (1, 0, 0)),
        "landlock": (444, 444, (0, 0, 1)),
        "iopl": (172, 9999, (0,)),
        "ioperm": (173, 9999, (0, 0, 0)),
        "modify_ldt": (154, 9999, (0, 0, 0)),
        "vhangup": (153, 58, ()),
    },
    "keys": {
        "keyctl": (250, 219, (0, -3, 0)),
        "add_key": (248, 217, (b"user", b"x", b"y", 1, -3)),
        "request_key": (249, 218, (b"user", b"x", 0, 0)),
    },
    "shared memory": {
        "shmget": (29, 194, (0, 4096, 0o1600)),
        "semget": (64, 190, (0, 1, 0o1600)),
        "msgget": (68, 186, (0, 0o1600)),
        "mq_open": (240, 180, (b"x", 0o102, 0o600, 0)),
    },
    "clock": {
        "settimeofday": (164, 170, (1, 1)),  # an address that cannot be read: one that goes through fails on it
        "clock_settime": (227, 112, (0, 0)),
        "clock_adjtime": (305, 266, (0, 0)),
        "adjtimex": (159, 171, (0,)),
        "sethostname": (170, 161, (b"x", 1)),
        "setdomainname": (171, 162, (b"x", 1)),
    },
}


def call(number: int, arguments: tuple[Any, ...]) -> str:
    """``done``, or the name of the error that stopped it. A call that forks is ended in the child."""
    ctypes.set_errno(0)
    result = LIBC.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    return errno.errorcode.get(ctypes.get_errno(), "?") if result == -1 else "done"


def in_a_child(act: Callable[[], str]) -> str:
    """What came of ``act`` in a process of its own, so that no call changes what the next one may."""
    told, telling = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(telling, act().encode())
        finally:
            os._exit(0)
    os.close(telling)
    text = os.read(told, 100).decode()
    os.close(told)
    os.waitpid(child, 0)
    return text or "died"


@tool
def call_the_kernel(group: str) -> dict[str, str]:
    """Make system calls that a tool has no use for."""
    x86_64 = platform.machine() == "x86_64"
    rows = {name: (row[0] if x86_64 else row[1], row[2]) for name, row in CALLS[group].items()}
    return {name: in_a_child(lambda row=row: call(*row)) for name, row in rows.items()}


@tool
def clone_into_namespaces() -> dict[str, str]:
    """Clone a child into new namespaces."""
    number = 56 if platform.machine() == "x86_64" else 220
    flags = {
        "user": NEW_USER,
        "mount": NEW_MOUNT,
        "net": NEW_NET,
        "pid": NEW_PID,
        "user and mount": NEW_USER | NEW_MOUNT,
    }

    def clone(flag: int) -> str:
        first = os.getpid()
        end = call(number, (flag | signal.SIGCHLD, 0, 0, 0, 0))
        if os.getpid() != first or os.getppid() == first:
            os._exit(0)
        return end

    return {name: in_a_child(lambda flag=flag: clone(flag)) for name, flag in flags.items()}


@tool
def open_sockets() -> dict[str, str]:
    """Open sockets of families that lead around a network namespace or into the kernel."""
    families = {"netlink": 16, "packet": 17, "alg": 38, "vsock": 40, "bluetooth": 31, "xdp": 44, "tipc": 30, "can": 29}

    def end(family: int, kind: int, protocol: int = 0) -> str:
        try:
            socket.socket(family, kind, protocol).close()
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, "?")
        return "done"

    return {
        **{name: end(family, socket.SOCK_RAW) for name, family in families.items()},
        "vsock stream": end(40, socket.SOCK_STREAM),
        "alg": end(38, socket.SOCK_SEQPACKET),
        "packet datagram": end(17, socket.SOCK_DGRAM),
    }
