"""The program that parses documents for ``ParserProcess``: a line of JSON and the bytes in, a line of JSON out."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import resource
import sys

from bailiwick.documents.parse import parse
from bailiwick.errors import DocumentError

__all__ = ["main"]

_NEVER = (
    "socket", "socketpair", "connect", "bind", "execve", "execveat", "fork", "vfork", "clone", "clone3", "ptrace",
    "kill", "tkill", "process_vm_readv", "process_vm_writev", "unlink", "unlinkat", "rename", "renameat", "renameat2",
    "mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "chown",
    "fchownat", "truncate", "ftruncate", "mknod", "mknodat", "mount", "umount2", "setns", "unshare", "bpf", "keyctl",
    "perf_event_open", "io_uring_setup", "memfd_create", "userfaultfd",
)  # fmt: skip


def main() -> None:
    """Read and answer until the parent closes its end."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not spoil an answer
    _confine(int(sys.argv[1]))
    for line in iter(sys.stdin.buffer.readline, b""):
        asked = json.loads(line)
        content = sys.stdin.buffer.read(asked["bytes"])
        try:
            parsed = parse(asked["suffix"], content)
            sections = [dataclasses.asdict(section) for section in parsed.sections]
            said = json.dumps({"sections": sections, "facts": dict(parsed.facts)})
        except DocumentError as error:
            said = json.dumps({"error": error.message, "fix": error.fix})
        except (MemoryError, RecursionError):
            said = json.dumps({"memory": True})
        answers.write(said.encode() + b"\n")
        answers.flush()


def _confine(memory_bytes: int) -> None:
    """Take away what a parser does not need, for good."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    import pyseccomp

    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in _NEVER:
        try:
            rules.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
        except (OSError, ValueError):  # this processor's kernel has no such call
            continue
    rules.load()


if __name__ == "__main__":
    main()
