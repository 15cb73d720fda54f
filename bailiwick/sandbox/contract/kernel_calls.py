"""Attacks by system calls that no tool needs: the kernel's surface."""

from __future__ import annotations

from typing import Any

from bailiwick.sandbox.contract.attack import Attack
from bailiwick.sandbox.contract.judges import all_refused
from bailiwick.sandbox.contract.one_call import OneCall

__all__ = ["KERNEL_CALLS"]


def _calls(
    name: str, tried: str, promise: str, function: str = "call_the_kernel", *, cves: tuple[str, ...] = (), **args: Any
) -> Attack:
    attempt = OneCall(file="kernel.py", function=function, judge=all_refused(), args=args)
    return Attack(name=name, tried=tried, promise=promise, attempt=attempt, cves=cves)


KERNEL_CALLS: tuple[Attack, ...] = (
    _calls(
        "mounting",
        "mounts, remounts, changes the root: mount, pivot_root, chroot, fsopen, move_mount",
        "a container's mounts stay as they were made",
        group="mounting",
        cves=("CVE-2022-0185",),
    ),
    _calls(
        "namespaces",
        "makes and joins namespaces: unshare, setns, clone3",
        "no new namespace, in which there would be capabilities",
        group="namespaces",
        cves=("CVE-2022-0185", "CVE-2023-32233"),
    ),
    _calls(
        "clone",
        "clones a child into new namespaces",
        "a clone stays in the container's namespaces",
        "clone_into_namespaces",
        cves=("CVE-2022-0492",),
    ),
    _calls(
        "spying",
        "traces other processes and takes from them: ptrace, process_vm_readv, pidfd_getfd, perf_event_open",
        "one process cannot look into another by a call",
        group="spying",
        cves=("CVE-2019-13272",),
    ),
    _calls(
        "kernel",
        "calls bpf, io_uring, userfaultfd, open_by_handle_at, kexec_load, init_module and their like",
        "calls that no tool needs are refused before the kernel looks at them",
        group="kernel",
        cves=("CVE-2021-3490", "CVE-2022-29582"),
    ),
    _calls(
        "keys",
        "uses the kernel's keyrings: add_key, request_key, keyctl",
        "keyrings, which no namespace divides, are closed",
        group="keys",
        cves=("CVE-2016-0728",),
    ),
    _calls(
        "shared-memory",
        "makes shared memory, semaphores and queues that outlive a process",
        "nothing is shared beside files",
        group="shared memory",
    ),
    _calls(
        "clock",
        "sets the clock and the host's name",
        "what the host is called and what time it has is not a tool's to say",
        group="clock",
    ),
    _calls(
        "sockets",
        "opens AF_VSOCK, AF_PACKET, AF_NETLINK, AF_ALG and others",
        "families of sockets that lead around a network namespace or into the kernel are closed",
        "open_sockets",
        cves=("CVE-2020-14386",),
    ),
)
