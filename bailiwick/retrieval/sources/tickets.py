"""Tickets as a CRM exports them: CSV, JSON or JSON lines with columns of its own."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from bailiwick.documents import Fact, csv_delimiter
from bailiwick.errors import ConfigError, DocumentError
from bailiwick.retrieval.sources.columns import Columns, record_item
from bailiwick.retrieval.sources.item import Item

__all__ = ["Tickets"]

MAX_FIELD_CHARACTERS = 4_000_000


class Tickets:
    """Each record of the export is a document, told by ``columns``."""

    folder = None
    complete = True
    count: int | None = None

    def __init__(
        self,
        files: Sequence[Path],
        columns: Columns,
        *,
        name: str,
        said_in: Path,
        facts: Mapping[str, Fact] | None = None,
    ) -> None:
        self.name = name
        self.scope = f"tickets:{name}"
        self.skipped: list[str] = []
        self._files = files
        self._columns = columns
        self._said_in = said_in
        self._facts = {"kind": "ticket", **(facts or {})}

    def items(self) -> Iterator[Item]:
        for file in self._files:
            for number, record in enumerate(_records(file), start=1):
                if number == 1 and (column := self._columns.missing(record)):
                    raise ConfigError(
                        f"{file.name} has no column {column!r} (it has: {', '.join(record)})",
                        file=self._said_in,
                        key="columns",
                        fix="name its columns as the export does",
                    )
                yield record_item(record, self._columns, scope=self.scope, name=self.name, facts=self._facts)


def _records(file: Path) -> Iterator[Mapping[str, Any]]:
    """Raises DocumentError where the file breaks off."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            match file.suffix.lower():
                case ".csv" | ".tsv":
                    yield from _rows(lines.read(4096), lines)
                case ".jsonl" | ".ndjson":
                    for number, line in enumerate(lines, start=1):
                        if line.strip():
                            yield _record(json.loads(line), f"line {number}")
                case ".json":
                    said: Any = json.load(lines)
                    for number, each in enumerate(said if isinstance(said, list) else [said], start=1):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
                        yield _record(each, f"record {number}")
                case other:
                    raise DocumentError(f"an export may be CSV, JSON or JSON lines, not {other or 'without an ending'}")
    except (OSError, ValueError, csv.Error) as error:
        raise DocumentError(f"{file.name}: {error}") from error


def _rows(head: str, lines: Any) -> Iterator[Mapping[str, Any]]:
    lines.seek(0)
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    for number, row in enumerate(csv.DictReader(lines, delimiter=csv_delimiter(head), strict=True), start=1):
        if None in row:
            raise DocumentError(f"row {number} has more values than columns", fix="quote its commas")
        yield row


def _record(said: object, where: str) -> Mapping[str, Any]:
    if not isinstance(said, dict):
        raise DocumentError(f"{where} is no object with named fields")
    return cast("dict[str, Any]", said)
