"""Import a file of a project by its path. The folders are no packages, so that none can shadow an installed one."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from bailiwick.errors import BailiwickError, ConfigError

__all__ = ["load_file"]


def load_file(file: Path) -> ModuleType:
    """The module that ``file`` makes, anew each time. Raises ConfigError with the line where it failed."""
    name = f"bailiwick_project.{file.parent.name}.{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ConfigError("there is no such file", file=file, fix=f"write {file.parent.name}/{file.name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: a dataclass looks its own module up while it is being made
    try:
        spec.loader.exec_module(module)
    except BailiwickError:
        raise
    except Exception as error:
        sys.modules.pop(name, None)
        raise ConfigError(
            f"it cannot be imported: {type(error).__name__}: {error}",
            file=file,
            line=_line_in(file, error),
            fix="correct the file; it is imported by its path, so it can import installed packages only",
        ) from error
    return module


def _line_in(file: Path, error: Exception) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines else None
