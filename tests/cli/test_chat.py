"""``bailiwick chat`` at a real terminal: it answers, asks for an approval, and Ctrl-D ends it."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.bubblewrap


class Terminal:
    """A program on a pseudo-terminal: type to it, and wait for what it prints."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._end, inside = pty.openpty()
        environment = {**os.environ, "BAILIWICK_SANDBOX": "bubblewrap", "TERM": "dumb", "COLUMNS": "200"}
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=inside, stdout=inside, stderr=inside, start_new_session=True
        )
        os.close(inside)
        self.text = ""

    def until(self, pattern: str, seconds: float = 60) -> str:
        ends = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            ready, _, _ = select.select([self._end], [], [], max(0.0, ends - time.monotonic()))
            assert ready, f"never saw {pattern!r} in:\n{self.text}"
            try:
                self.text += os.read(self._end, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"ended before {pattern!r}:\n{self.text}") from None
        seen, self.text = self.text, ""
        return seen

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def close(self) -> int:
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            os.close(self._end)


@pytest.mark.parametrize("ending", ["\n", "\x04"], ids=["empty line", "ctrl-d"])
def test_a_conversation_with_an_approval(project_root: Path, ending: str) -> None:
    command = [str(Path(sys.executable).with_name("bailiwick")), "chat", "support", "--user", "C-1003"]
    terminal = Terminal([*command, "--role", "refund-lead"], project_root)
    terminal.until("you: ")
    terminal.type("One of ORD-000128 broke, refund 64.50 euro\n")
    asked = terminal.until(r"\[y/N\] ")
    assert "above 50 euro a lead decides" in asked
    terminal.type("y\n")
    assert "64.50 euro of ORD-000128 are on their way" in terminal.until("you: ")
    terminal.type(ending)
    assert terminal.close() == 0


def test_ctrl_c_ends_it_at_once(project_root: Path) -> None:
    command = [str(Path(sys.executable).with_name("bailiwick")), "chat", "support"]
    terminal = Terminal(command, project_root)
    terminal.until("you: ")
    # Nobody is faster. In the moment between showing the prompt and reading from the terminal, Python's own input()
    # notes the signal and goes on to wait for a line.
    time.sleep(0.3)
    started = time.monotonic()
    os.killpg(terminal.process.pid, 2)
    assert terminal.close() == 130
    assert time.monotonic() - started < 15
