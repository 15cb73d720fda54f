"""The image ``python`` as a folder: this interpreter's executable and standard library, and the libraries they need.

No registry is asked and no distribution's image trusted: what runs inside is what runs here, without what is
installed into it. The folder is bound by bubblewrap as it is, and archived for Docker.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bailiwick.errors import SandboxUnavailable
from bailiwick.sandbox.cache import kept_tree
from bailiwick.sandbox.image.runner import compile_tree, lay_runner, runner_digest

__all__ = ["PythonTree", "python_tree"]

_RECIPE = 1
"""Raised when the same inputs make another tree."""
_LEFT_OUT = {
    *("site-packages", "dist-packages", "__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo"),
    *("lib2to3", "ensurepip", "pydoc_data", "turtle.py"),
}
_NO_SCREEN = "_tkinter."
"""Left out with the dozen libraries of the window system that it alone needs."""
_MOUNT_POINTS = ("dev", "proc", "site", "sys", "tmp", "tool", "work")
_WHEELS_NEED = ("libstdc++.so.6", "libgcc_s.so.1")
"""Libraries that compiled wheels take for granted."""
_ETC = {
    "passwd": "root:x:0:0:root:/:/nologin\nnobody:x:65534:65534:nobody:/tmp:/nologin\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


@dataclass(frozen=True, kw_only=True)
class PythonTree:
    """A root folder with an interpreter at /usr/local/bin/python3."""

    root: Path
    key: str
    """Digest of what went in, shortened; the image's tag."""
    python: str = "/usr/local/bin/python3"

    @property
    def digest(self) -> str:
        return f"sha256:{self.key}"


def python_tree(on_progress: Callable[[str], None] | None = None) -> PythonTree:
    """The tree for this interpreter, made where it is missing. Raises SandboxUnavailable when it cannot be made."""
    key = _key()

    def build(root: Path) -> None:
        if on_progress is not None:
            on_progress("making the sandbox's interpreter (once)")
        _build(root)

    return PythonTree(root=kept_tree("python", key, build), key=key)


def _executable() -> Path:
    base: str = getattr(sys, "_base_executable", "") or sys.executable
    return Path(base).resolve()


def _stdlib() -> Path:
    """Also in a virtual environment the standard library is the base interpreter's."""
    return Path(sysconfig.get_path("stdlib")).resolve()


def _extensions() -> list[Path]:
    found = (_stdlib() / "lib-dynload").glob("*.so")
    return sorted(file for file in found if not file.name.startswith(_NO_SCREEN))


def _key() -> str:
    parts = [str(_RECIPE), sys.version, runner_digest()]
    # The loader's cache changes whenever a system library does, and is read faster than seventy files' needs.
    loader = [cache] if (cache := Path("/etc/ld.so.cache")).is_file() else []
    for file in (_executable(), *_extensions(), *loader):
        state = file.stat()
        parts.append(f"{file}:{state.st_size}:{state.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def _build(root: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for name in ("usr/local/bin", "lib", "bin", "etc", *_MOUNT_POINTS):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)  # the mode of what an OCI runtime mounts over it
    # One folder of libraries under every name by which a loader knows it.
    for link, target in (("lib64", "lib"), ("usr/lib", "../lib"), ("usr/lib64", "../lib"), ("usr/bin", "local/bin")):
        (root / link).symlink_to(target)
    shutil.copyfile(_executable(), root / f"usr/local/bin/{version}")
    (root / f"usr/local/bin/{version}").chmod(0o755)
    for name in ("python3", "python"):
        (root / f"usr/local/bin/{name}").symlink_to(version)
    library = root / f"usr/local/lib/{version}"
    shutil.copytree(_stdlib(), library, symlinks=False, ignore=_ignored, ignore_dangling_symlinks=True)
    for file in _shared_libraries():
        shutil.copyfile(file, root / "lib" / file.name)
        (root / "lib" / file.name).chmod(0o755)
    for name, text in _ETC.items():
        (root / "etc" / name).write_text(text)
    lay_runner(root / "bailiwick")
    compile_tree(library, f"/usr/local/lib/{version}")
    compile_tree(root / "bailiwick", "/bailiwick")


def _ignored(folder: str, names: list[str]) -> Iterable[str]:
    return [
        name for name in names if name in _LEFT_OUT or name.startswith(("config-", _NO_SCREEN)) or name.endswith(".a")
    ]


def _shared_libraries() -> list[Path]:
    """Every library of the interpreter and its extensions by the path of its soname, and the loader."""
    found: dict[str, Path] = {}
    for file in (_executable(), *_extensions()):
        found |= _needed_by(file)
    for name in _WHEELS_NEED:
        if name not in found and (path := _known_to_the_loader(name)) is not None:
            found[name] = path
            found |= _needed_by(path)
    return [found[name] for name in sorted(found)]


def _ldd(file: Path) -> str:
    try:
        done = subprocess.run(["ldd", str(file)], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603, S607
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SandboxUnavailable(
            f"the interpreter's shared libraries cannot be listed: {error}",
            fix="install ldd (Debian: apt-get install libc-bin)",
        ) from error
    return done.stdout  # a statically linked file has none, and ldd then ends with 1


def _needed_by(file: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for line in _ldd(file).splitlines():
        match = re.match(r"\s*(?:\S+ => )?(/\S+) \(0x", line)
        if match is not None:
            path = Path(match[1])
            found[path.name] = path
    return found


def _known_to_the_loader(name: str) -> Path | None:
    for folder in ("/usr/lib", "/lib", "/usr/lib64", "/lib64"):
        for path in (Path(folder, name), *sorted(Path(folder).glob(f"*-linux-*/{name}"))):
            if path.is_file():
                return path
    return None
