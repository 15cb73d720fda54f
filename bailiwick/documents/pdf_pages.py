"""PDF documents, page by page."""

from __future__ import annotations

import io
import logging
import re

from bailiwick.documents.section import Section
from bailiwick.errors import DocumentError

__all__ = ["MAX_PAGES", "pdf_pages"]

MAX_PAGES = 2000

_SENTENCE_ENDS = (".", "!", "?", ":", ";")


def pdf_pages(content: bytes) -> list[Section]:
    """The text of each page that has any. Raises DocumentError for a broken or encrypted document."""
    from pypdf import PdfReader

    # pypdf tells its log what it mends; whether the text came out is all that counts here.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DocumentError("it is encrypted", fix="save it without a password")
        count = len(reader.pages)
        if count > MAX_PAGES:
            raise DocumentError(f"it has {count} pages, more than {MAX_PAGES}", fix="split it")
        texts = [page.extract_text() for page in reader.pages]
    except DocumentError:
        raise
    except Exception as error:  # a damaged file makes pypdf fail in every way there is
        raise DocumentError(f"it is a broken PDF: {type(error).__name__}: {error}", fix="export it again") from error
    pages = [(number, _flowing(text)) for number, text in enumerate(texts, start=1)]
    return [Section(text=text, start=0, page=number) for number, text in pages if text]


def _flowing(text: str) -> str:
    """Lines joined to paragraphs again: a PDF knows lines only, and a sentence must not end where a line does.

    A line that is full and does not end a sentence goes on in the next one; a short one is a heading or an end.
    """
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]
    full = 0.7 * max((len(line) for line in lines), default=0)
    flowing = ""
    for line in filter(None, lines):
        flowing += line
        goes_on = len(line) >= full and not line.endswith(_SENTENCE_ENDS)
        if goes_on and re.search(r"[a-z]-$", line):
            flowing = flowing[:-1]
        else:
            flowing += " " if goes_on or (len(line) >= full and line.endswith(_SENTENCE_ENDS)) else "\n"
    return flowing.strip()
