"""Word documents (DOCX), as markdown."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any, cast

from bailiwick.documents.markdown_sections import markdown_sections
from bailiwick.documents.section import Section
from bailiwick.errors import DocumentError

__all__ = ["docx_sections"]

MAX_UNPACKED_BYTES = 128 * 1024 * 1024
MAX_PARTS = 5000


def docx_sections(content: bytes) -> list[Section]:
    """What stands under each heading, tables row by row. Offsets are those of the text in markdown.

    Raises DocumentError for what is no DOCX, is encrypted, or unpacks to more than a document would.
    """
    _check_size(content)
    from docx import Document

    try:
        document = cast("Any", Document)(io.BytesIO(content))
        text = "\n\n".join(_blocks(document))
    except Exception as error:  # a damaged file makes the library fail in every way there is
        raise DocumentError(f"it is a broken DOCX: {type(error).__name__}: {error}", fix="save it again") from error
    return markdown_sections(text + "\n")


def _check_size(content: bytes) -> None:
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise DocumentError("it is encrypted, or in the old DOC format", fix="save it as DOCX without a password")
    try:
        parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except zipfile.BadZipFile as error:
        raise DocumentError(f"it is a broken DOCX: {error}", fix="save it again") from error
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MAX_UNPACKED_BYTES or len(parts) > MAX_PARTS:
        # The sizes are the file's own word; one that lies meets the limit on memory.
        raise DocumentError(
            f"it unpacks to {unpacked // 2**20} MiB in {len(parts)} parts, more than a document does", fix="split it"
        )


def _blocks(document: Any) -> Iterator[str]:
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            rows = [[_flat(cell.text) for cell in row.cells] for row in block.rows]
            yield "\n".join("| " + " | ".join(row) + " |" for row in rows if any(row))
        elif text := block.text.strip():
            heading = re.fullmatch(r"(?:Heading (\d)|Title)", str(block.style.name if block.style else ""))
            yield f"{'#' * int(heading[1] or 1)} {_flat(text)}" if heading else re.sub(r"^#", r"\\#", text, flags=re.M)


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
