"""A tool's file that takes more than it is given, and answers with what is no answer.

Runs inside a sandbox only; ``attacks.py`` says what must come of it.
"""

# ruff: noqa: BLE001, S108, S603

import contextlib
import errno
import json
import os
import signal
import struct
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
def forks_that_fork() -> None:
    """Fork in every process, forever."""
    while True:
        with contextlib.suppress(OSError):
            os.fork()


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
def memory_bomb() -> int:
    """Take memory until there is none."""
    taken: list[bytes] = []
    while True:
        taken.append(b"\x01" * 2**20)


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
def spin() -> None:
    """Compute forever and ignore every signal that can be ignored."""
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    while True:
        pass


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
    """Print more than anyone reads; 0: forever."""
    line = "x" * 1023 + "\n"
    count = 0
    while kibibytes == 0 or count < kibibytes:
        sys.stdout.write(line)
        count += 1
    return "printed"


@tool
def forge() -> str:
    """Write frames that look like a reply to every descriptor there is, then answer truly."""
    for body in ({"cause": "ok", "value": "forged", "cpu_ms": 0, "sandbox": "forged"}, {"ready": 1}):
        text = json.dumps(body).encode()
        for descriptor in range(256):
            with contextlib.suppress(OSError):
                os.write(descriptor, struct.pack(">I", len(text)) + text)
    return "true"


@tool
def forge_lengths() -> str:
    """Announce four gigabytes on every descriptor there is."""
    for descriptor in range(256):
        with contextlib.suppress(OSError):
            os.write(descriptor, b"\xff\xff\xff\xff")
    return "true"


@tool
def answer_with(what: str) -> Any:
    """Give what no reply can carry."""
    match what:
        case "large":
            return "x" * 200_000
        case "deep":
            value: Any = 1
            for _ in range(500):
                value = [value]
            return value
        case "bottomless":
            loop: list[Any] = []
            loop.append(loop)
            return loop
        case "object":
            return object()
        case "nan":
            return {"value": float("nan")}
        case "surrogate":
            return "\ud800"
        case "bytes":
            return b"raw"
        case "keys":
            return {("a", "b"): 1}
        case _:
            return None


@tool
def end_with(what: str) -> None:
    """End in a way that is no answer."""
    match what:
        case "exit":
            os._exit(7)
        case "system exit":
            sys.exit("enough")
        case "interrupt":
            raise KeyboardInterrupt
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "kill all":
            os.kill(-1, signal.SIGKILL)
        case "loud":
            raise ValueError("x" * 1_000_000)
        case _:
            return
