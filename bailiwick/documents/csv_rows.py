"""Tables in CSV, row by row, each row told with the names of its columns."""

from __future__ import annotations

import csv
import io

from bailiwick.documents.section import Section
from bailiwick.errors import DocumentError

__all__ = ["csv_delimiter", "csv_rows"]

MAX_ROWS = 20_000
"""More is a data set, not a document."""


def csv_rows(text: str) -> list[Section]:
    """One section per row, ``column: value`` joined by semicolons. Raises DocumentError for a table without header.

    The text that offsets count in is that of the sections, one per line.
    """
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=csv_delimiter(text), strict=True))
    except csv.Error as error:
        raise DocumentError(f"it is no CSV table: {error}") from error
    rows = [row for row in rows if any(value.strip() for value in row)]
    if not rows:
        return []
    if len(rows) > MAX_ROWS:
        raise DocumentError(f"it has more than {MAX_ROWS} rows", fix="tell of it as tickets in a .source.yaml file")
    names = [name.strip() for name in rows[0]]
    if not all(names):
        raise DocumentError("a column of its first row has no name", fix="name every column in the first row")
    sections: list[Section] = []
    start = 0
    for number, row in enumerate(rows[1:], start=1):
        if len(row) > len(names):
            raise DocumentError(f"row {number} has {len(row)} values for {len(names)} columns", fix="quote its commas")
        told = "; ".join(f"{name}: {value.strip()}" for name, value in zip(names, row, strict=False) if value.strip())
        sections.append(Section(text=told, start=start, row=number))
        start += len(told) + 1
    return sections


def csv_delimiter(text: str) -> str:
    """What parts the names in the first line: the standard library's guess is led astray by few rows and much prose."""
    first = text.split("\n", 1)[0]
    return max(",;\t|", key=first.count)
