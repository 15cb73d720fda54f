"""An image for the peers: the interpreter that ours has, and the shell and commands that they look for in one.

It is made from this host, so that no registry is asked and every way runs the same interpreter.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker

from bailiwick.sandbox.image import python_tree, write_archive

__all__ = ["plain_image"]

_REPOSITORY = "bailiwick-benchmark"
_COMMANDS = ("sh", "true", "mkdir", "rm", "ls", "cat", "chown", "chmod", "timeout", "test", "env", "sleep")

_WHEELS_NEED = ("libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1")
"""Empty since glibc 2.34, and still asked for by what was built before."""


@contextlib.contextmanager
def plain_image() -> Iterator[str]:
    """The image's name while it is there; afterwards it is removed with every container that was made of it."""
    tree = python_tree()
    client: Any = docker.from_env().api
    name = f"{_REPOSITORY}:{os.getpid()}"
    try:
        with tempfile.TemporaryDirectory(prefix="bailiwick-benchmark-") as folder:
            root = Path(folder, "root")
            shutil.copytree(tree.root, root, symlinks=True)
            _add_commands(root)
            _add_environment(root)
            with Path(folder, "image.tar").open("wb") as archive:
                write_archive(root, archive)
            waits = ['CMD ["sleep", "infinity"]']
            client.import_image_from_file(archive.name, repository=_REPOSITORY, tag=str(os.getpid()), changes=waits)
        yield name
    finally:
        for left in client.containers(all=True, filters={"ancestor": name}):
            with contextlib.suppress(docker.errors.APIError):
                client.remove_container(left["Id"], force=True)
        with contextlib.suppress(docker.errors.ImageNotFound):
            client.remove_image(name, force=True)
        client.close()


def _add_commands(root: Path) -> None:
    for name in _COMMANDS:
        found = shutil.which(name)
        if found is None:
            raise RuntimeError(f"there is no {name} command to lay into the peers' image")
        file = Path(found).resolve()
        shutil.copyfile(file, root / "bin" / name)
        (root / "bin" / name).chmod(0o755)
        told = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False).stdout
        for library in map(Path, re.findall(r"(/\S+) \(0x", told)):
            _add_library(root, library)
    for name in _WHEELS_NEED:
        for library in (*Path("/lib").glob(f"*-linux-*/{name}"), *Path("/lib64").glob(name)):
            _add_library(root, library)


def _add_library(root: Path, library: Path) -> None:
    if not (place := root / "lib" / library.name).exists():
        shutil.copyfile(library, place)
        place.chmod(0o755)


def _add_environment(root: Path) -> None:
    """Where llm-sandbox's pool looks for the environment that its set-up, which needs a registry, would have made."""
    place = root / "sandbox/.sandbox-venv/bin"
    place.mkdir(parents=True)
    (place / "python").symlink_to("/usr/local/bin/python")
