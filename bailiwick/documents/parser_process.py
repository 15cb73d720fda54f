"""Documents parsed in a process of their own, under limits of time and memory and without a way out.

A parser is the first thing that a stranger's document meets, and a file of 40 KiB can ask for gigabytes or hours. So it
works in a child that may read its libraries and answer, and nothing else: it cannot write a file, start a program or
open a socket (see ``parser_child``). One that takes too long or too much is killed; the next document gets a new one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from bailiwick.documents.parse import MAX_BYTES, Parsed
from bailiwick.documents.section import Section
from bailiwick.errors import DocumentError

__all__ = ["ParserLimits", "ParserProcess"]

MAX_ANSWER_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class ParserLimits:
    """What one document may cost."""

    seconds: float = 30.0
    memory_bytes: int = 1024 * 1024 * 1024
    """Of address space, libraries included; less than 300 MiB starts no parser."""


class ParserProcess:
    """A child that parses one document after the other; for one thread. Started with the first. A context."""

    def __init__(self, limits: ParserLimits | None = None) -> None:
        self._limits = limits or ParserLimits()
        self._child: subprocess.Popen[bytes] | None = None

    def parse(self, suffix: str, content: bytes) -> Parsed:
        """As ``documents.parse.parse``; raises DocumentError also for what took too long, too much or broke."""
        if len(content) > MAX_BYTES:  # said here, since it need not travel for that
            raise DocumentError(f"it is larger than {MAX_BYTES // 2**20} MiB", fix="split it")
        child = self._running()
        late = threading.Event()

        def end() -> None:
            late.set()
            child.kill()

        clock = threading.Timer(self._limits.seconds, end)
        clock.start()
        try:
            said = _exchange(child, suffix, content)
        except (OSError, ValueError) as error:
            raise self._broken(child, late) from error
        finally:
            clock.cancel()
        if said.get("memory"):
            self.close()  # what it holds, it may not give back
            raise self._too_large()
        if "error" in said:
            raise DocumentError(str(said["error"]), fix=said.get("fix") or None)
        return Parsed(sections=[Section(**each) for each in said["sections"]], facts=said["facts"])

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            command = [
                sys.executable,
                "-B",
                "-P",
                "-m",
                "bailiwick.documents.parser_child",
                str(self._limits.memory_bytes),
            ]
            # Its complaints are about documents, and are told as reasons; unbuffered, since the answer is waited for.
            self._child = subprocess.Popen(  # noqa: S603  our own module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=-1
            )
        return self._child

    def _broken(self, child: subprocess.Popen[bytes], late: threading.Event) -> DocumentError:
        code = child.wait(5)
        self.close()
        if late.is_set():
            return DocumentError(f"reading it takes longer than {self._limits.seconds:g} s", fix="split it")
        if code == -9:  # by the kernel: nobody here did
            return self._too_large()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return DocumentError(f"it broke its parser ({how})", fix="save it anew")

    def _too_large(self) -> DocumentError:
        return DocumentError(
            f"reading it takes more than {self._limits.memory_bytes // 2**20} MiB of memory", fix="split it"
        )


def _exchange(child: subprocess.Popen[bytes], suffix: str, content: bytes) -> dict[str, Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps({"suffix": suffix, "bytes": len(content)}).encode() + b"\n")
    child.stdin.write(content)
    child.stdin.flush()
    line = child.stdout.readline(MAX_ANSWER_BYTES)
    if not line.endswith(b"\n"):
        raise ValueError("no whole answer")
    return json.loads(line)
