"""Containers by bubblewrap: a process that sets up namespaces and mounts, and ends with its parent."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from io import FileIO
from typing import Literal

from bailiwick.errors import SandboxFailed, SandboxRefused, SandboxUnavailable
from bailiwick.sandbox.afterwards import Afterwards
from bailiwick.sandbox.bubblewrap.command import bubblewrap_command
from bailiwick.sandbox.bubblewrap.limits import Guard, Limiter, choose_limiter
from bailiwick.sandbox.bubblewrap.orphans import end_orphans
from bailiwick.sandbox.bubblewrap.pipes import PipeChannel
from bailiwick.sandbox.conversation import Channel
from bailiwick.sandbox.image import PythonTree, python_tree
from bailiwick.sandbox.seccomp import bpf_program
from bailiwick.sandbox.spec import Mount, Spec

__all__ = ["BubblewrapEngine", "find_bubblewrap"]

INSTALL = "install bubblewrap (Debian: apt-get install bubblewrap)"
_SOON = 2.0


def find_bubblewrap() -> str:
    """The path of ``bwrap``. Raises SandboxUnavailable."""
    if (found := shutil.which("bwrap")) is None:
        raise SandboxUnavailable("bubblewrap is not installed", fix=INSTALL)
    return found


class BubblewrapEngine:
    """An ``Engine`` of single-use containers made by ``bwrap``."""

    kind = "bubblewrap"

    def __init__(self, *, limiter: Limiter | None = None, on_progress: Callable[[str], None] | None = None) -> None:
        self._bwrap = find_bubblewrap()
        self._tree: PythonTree = python_tree(on_progress)
        # The runner mounts once more in its first step; without capabilities the call then only ever fails.
        self._filter = bpf_program(also=("mount",))
        self.limiter = limiter or choose_limiter()
        self._afterwards = Afterwards("bailiwick-bubblewrap-removal")
        self._closed = False
        end_orphans()

    def check(self, spec: Spec) -> None:
        if spec.image != "python":
            raise SandboxRefused(
                f"sandbox.image: {spec.image!r} is demanded, and bubblewrap has no image but python",
                fix="start a Docker Engine, or write image: python",
            )
        if spec.runtime not in ("any", "bubblewrap"):
            raise SandboxRefused(
                f"sandbox.runtime: {spec.runtime} is demanded, and this sandbox is bubblewrap",
                fix="set BAILIWICK_SANDBOX=docker, or write runtime: any",
            )

    def start(self, spec: Spec, own: tuple[Mount, ...] = ()) -> BubblewrapContainer:
        self.check(spec)
        with contextlib.ExitStack() as ours:

            def kept(descriptor: int, mode: Literal["rb", "wb"]) -> FileIO:
                # A file object closes its descriptor once; a number closed twice may be another thread's by then.
                return ours.enter_context(FileIO(descriptor, mode))

            program = kept(os.memfd_create("bailiwick-seccomp"), "wb")
            program.write(self._filter)
            program.seek(0)
            (info_fd, told_fd), (block_fd, release_fd) = os.pipe(), os.pipe()
            info, told = kept(info_fd, "rb"), kept(told_fd, "wb")
            block, release = kept(block_fd, "rb"), kept(release_fd, "wb")
            command = bubblewrap_command(
                spec,
                bwrap=self._bwrap,
                tree=self._tree,
                as_root=os.getuid() == 0,
                seccomp_fd=program.fileno(),
                info_fd=told.fileno(),
                block_fd=block.fileno(),
                own=own,
            )
            process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(program.fileno(), told.fileno(), block.fileno()),
                env={},
                bufsize=0,
                process_group=0,
            )
            told.close()
            container = BubblewrapContainer(_first_process(info, process), process, self._tree.digest, self._afterwards)
            try:
                container.guard = self.limiter.guard(container.pid, spec, container.kill)
            except OSError as error:
                container.kill()
                container.discard()
                raise SandboxFailed(f"the limits could not be set: {error}") from None
            release.write(b"1")  # only now it runs
        return container

    def reconcile(self) -> None:
        end_orphans()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._afterwards.close()


class BubblewrapContainer:
    """A started container: ``bwrap``, and the first process inside."""

    guard: Guard | None = None

    def __init__(self, pid: int, process: subprocess.Popen[bytes], image_digest: str, afterwards: Afterwards) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.pid, self.id, self.image_digest = pid, f"bwrap-{pid}", image_digest
        self._process, self._afterwards = process, afterwards
        self._first = FileIO(os.pidfd_open(pid))  # a pid could be another's by the time it is killed
        ends = (process.stdin.fileno(), process.stdout.fileno(), process.stderr.fileno())
        self._pipes = PipeChannel(*ends, self._first.fileno())
        self._discarded = False

    @property
    def channel(self) -> Channel:
        return self._pipes

    @property
    def rlimits(self) -> Mapping[str, int]:
        return self.guard.rlimits if self.guard is not None else {}

    def limits(self) -> Mapping[str, object]:
        return self.guard.limits() if self.guard is not None else {}

    def ended_before(self, moment: float) -> bool:
        return False  # a pipe without a reader takes nothing: what was sent, was sent to one that lived

    def overstepped(self) -> bool:
        return self.guard is not None and self.guard.overstepped()

    def kill(self) -> None:
        with contextlib.suppress(
            OSError, ValueError
        ):  # gone, or discarded; the first process of a namespace takes all others with it
            signal.pidfd_send_signal(self._first.fileno(), signal.SIGKILL)

    def discard(self) -> None:
        if not self._discarded:
            self._discarded = True
            self._afterwards.add(self._remove)

    def _remove(self) -> None:
        self.kill()
        try:  # it waits for its first process, and leaves no zombie to anybody else
            self._process.wait(_SOON)
        except subprocess.TimeoutExpired:
            self._process.kill()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        self._process.wait()
        if self.guard is not None:
            self.guard.close()
        self._first.close()


def _first_process(info: FileIO, process: subprocess.Popen[bytes]) -> int:
    """The pid, on the host, of the container's first process. Raises SandboxFailed with what ``bwrap`` said."""
    text = b""
    while b"}" not in text and (part := info.read(4096)):
        text += part
    try:
        return int(json.loads(text)["child-pid"])
    except (ValueError, KeyError):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with the half-made process that still waits for it
        _, told = process.communicate()
        last = told.decode(errors="replace").strip().splitlines()
        raise SandboxFailed(f"bubblewrap did not start: {last[-1] if last else process.returncode}") from None
