"""A tool's file that takes more than it is given.

Runs inside a sandbox only; ``exhausting.py`` and ``outliving.py`` say what must come of it.
"""

# ruff: noqa: BLE001, S108, S603

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bailiwick import tool

TMP = Path("/tmp")


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
def run_from_tmp() -> dict[str, str]:
    """Run a program that was written to /tmp."""
    script = TMP / "run"
    script.write_text(f"#!{sys.executable}\nprint('ran')\n")
    script.chmod(0o755)
    copy = TMP / "python"
    copy.write_bytes(Path("/usr/local/bin/python3").resolve().read_bytes())
    copy.chmod(0o755)
    return {
        "script": outcome(lambda: subprocess.run([str(script)], check=True, timeout=5)),
        "binary": outcome(lambda: subprocess.run([str(copy), "-c", "0"], check=True, timeout=5)),
    }


@tool
def fill_tmp() -> dict[str, Any]:
    """Write to /tmp until it is full."""
    written, why = 0, ""
    with (TMP / "full").open("wb", buffering=0) as file:
        try:
            while written < 2**30:
                written += file.write(b"x" * 65_536)
        except OSError as error:
            why = errno.errorcode[error.errno or 0]
    return {"written": written, "why": why}


@tool
def fork_bomb() -> dict[str, Any]:
    """Fork until it is refused, and leave everything running."""
    made = 0
    try:
        while made < 10_000:
            if os.fork() == 0:
                time.sleep(600)
                os._exit(0)
            made += 1
    except OSError as error:
        return {"made": made, "why": errno.errorcode[error.errno or 0]}
    return {"made": made, "why": ""}


@tool
def forks_that_fork(seconds: float) -> str:
    """Fork in every process, for so long."""
    until, first = time.monotonic() + seconds, os.getpid()
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            os.fork()
    if os.getpid() != first:
        os._exit(0)
    return "forked to the end"


@tool
def thread_bomb() -> dict[str, Any]:
    """Start threads until it is refused."""
    made = 0
    try:
        while made < 10_000:
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
            made += 1
    except RuntimeError:
        return {"made": made, "why": "refused"}
    return {"made": made, "why": ""}


@tool
def memory_bomb(mebibytes: int) -> int:
    """Take so much memory, and touch all of it."""
    taken = [b"\x01" * 2**20 for _ in range(mebibytes)]
    return len(taken)


@tool
def memory_bomb_in_children() -> list[int]:
    """Take memory in several processes, each below the limit; gives the signals that ended them."""
    children: list[int] = []
    for _ in range(4):
        if (child := os.fork()) == 0:
            taken = b"\x01" * (40 * 2**20)
            time.sleep(1)
            os._exit(len(taken) % 2)
        children.append(child)
    return [os.waitpid(child, 0)[1] & 0x7F for child in children]


@tool
def spin(seconds: float) -> str:
    """Compute for so long and ignore every signal that can be ignored."""
    until = time.monotonic() + seconds
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    while time.monotonic() < until:
        pass
    return "computed to the end"


@tool
def leave_a_daemon(file: str) -> str:
    """Answer, and leave a process in a session of its own that keeps writing and keeps the pipes."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            while True:
                with Path(file).open("a") as log:
                    log.write("still here\n")
                time.sleep(0.02)
        os._exit(0)
    time.sleep(0.2)
    return "answered"


@tool
def sleep(seconds: float, file: str = "") -> str:
    """Wait; ``file`` is written first, so that the host sees that the call runs."""
    if file:
        Path(file).write_text("running")
    time.sleep(seconds)
    return "slept"


@tool
def flood(kibibytes: int) -> str:
    """Print more than anyone reads."""
    for _ in range(kibibytes):
        sys.stdout.write("x" * 1023 + "\n")
    return "printed"
