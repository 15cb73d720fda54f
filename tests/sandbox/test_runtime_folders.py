"""A process's own folder: nobody else's, short enough for a socket, and gone soon after it was killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bailiwick.errors import SandboxUnavailable
from bailiwick.sandbox.ownership import own_folder, remove_abandoned_folders, runtime_folder

OWNER = """
import sys, time
from bailiwick.sandbox.ownership import own_folder
folder = own_folder()
(folder / "inside").mkdir()
(folder / "inside" / "file").touch()
print(folder, flush=True)
time.sleep(100)
"""


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bw-") as folder:  # pytest's own have long paths
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def start_owner() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        return process, Path(process.stdout.readline().strip())


def test_a_killed_processes_folder_is_removed_and_a_living_ones_stays(given: Path) -> None:
    (killed, left), (alive, kept) = start_owner(), start_owner()
    try:
        killed.kill()  # and not yet waited for: a zombie owns nothing either
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
        own = own_folder()
        assert left.is_dir()
        assert remove_abandoned_folders() == [left]
        assert not left.exists()
        assert kept.is_dir()
        assert own.is_dir()
    finally:
        killed.wait()
        alive.kill()
        alive.wait()


def test_a_link_in_the_place_of_a_dead_processes_folder_is_not_followed(given: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    (runtime_folder() / f"4194305-1-{namespace}").symlink_to(tmp_path)
    real = runtime_folder() / f"4194306-1-{namespace}"
    real.mkdir()
    (real / "way-out").symlink_to(tmp_path)
    assert remove_abandoned_folders() == [real]
    assert (tmp_path / "kept").is_file()


def test_what_a_process_of_another_pid_namespace_made_stays(given: Path) -> None:
    other = runtime_folder() / f"4194305-1-{Path('/proc/self/ns/pid').stat().st_ino + 1}"
    other.mkdir()
    assert remove_abandoned_folders() == []
    assert other.is_dir()


def test_nobody_else_may_enter_and_a_folder_that_was_open_is_closed(given: Path) -> None:
    (given / "bailiwick").mkdir(mode=0o755)
    for folder in (own_folder(), runtime_folder()):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_in_the_folders_place_is_refused(given: Path, tmp_path: Path) -> None:
    (given / "bailiwick").symlink_to(tmp_path)
    with pytest.raises(SandboxUnavailable, match="is not a folder of this user's own"):
        own_folder()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder for somebody else")
def test_a_folder_that_somebody_else_made_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = tmp_path / f"bailiwick-{os.getuid()}"
    made.mkdir()
    os.chown(made, 65534, 65534)
    with pytest.raises(SandboxUnavailable, match="is not a folder of this user's own"):
        own_folder()


def test_a_socket_with_a_name_of_40_bytes_can_be_bound_in_it_or_the_folder_is_refused(
    given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(own_folder() / ("s" * 40)))
    long = given / ("x" * 60)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with pytest.raises(SandboxUnavailable, match="too long a path for a socket"):
        own_folder()
