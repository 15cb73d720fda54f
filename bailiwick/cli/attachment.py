"""A file sent along with a question: laid where tools may read it, and named in the question."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from bailiwick.errors import InputRefused
from bailiwick.project import Layout

__all__ = ["with_attachments"]

BYTES = 10 * 2**20
KINDS = (".pdf", ".txt")


def with_attachments(question: str, files: Sequence[Path], layout: Layout) -> str:
    """``question`` with a line per file. Raises InputRefused for a file that is missing, too large or of another kind.

    The copy's name holds a digest of its bytes, so that two files of one name do not replace each other.
    """
    contents = [(file, _checked(file)) for file in files]
    lines = [question]
    for file, content in contents:
        stem = re.sub(r"[^A-Za-z0-9]+", "-", file.stem).strip("-")[:60] or "file"
        name = f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}{file.suffix.lower()}"
        layout.attachments.mkdir(parents=True, exist_ok=True)
        half = layout.attachments / f".{name}.part"
        half.write_bytes(content)
        half.chmod(0o644)
        half.replace(layout.attachments / name)
        lines.append(f"[attached: {name}]")
    return "\n".join(lines)


def _checked(file: Path) -> bytes:
    if not file.is_file():
        raise InputRefused(f"{file}: there is no such file to attach", fix="correct the path")
    if file.suffix.lower() not in KINDS:
        raise InputRefused(f"{file}: only {' and '.join(KINDS)} files can be attached", fix="send it as a PDF")
    if file.stat().st_size > BYTES:
        raise InputRefused(f"{file}: it is larger than {BYTES // 2**20} MiB", fix="send a smaller file")
    return file.read_bytes()
