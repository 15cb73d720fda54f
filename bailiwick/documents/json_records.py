"""JSON and JSON lines, record by record, each told with the names of its fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, cast

from bailiwick.documents.section import Section
from bailiwick.errors import DocumentError

__all__ = ["json_document", "json_lines"]


def json_document(text: str) -> list[Section]:
    """One section per element of a list, else one for the whole. Raises DocumentError for what is no JSON."""
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"it is no JSON: {error}") from error
    return _sections(cast("list[Any]", said) if isinstance(said, list) else [said])


def json_lines(text: str) -> list[Section]:
    """One section per line. Raises DocumentError that names the first line that is no JSON."""
    return _sections(_lines(text))


def _lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DocumentError(f"line {number} is no JSON: {error}") from error


def _sections(records: Iterable[Any]) -> list[Section]:
    sections: list[Section] = []
    start = 0
    for number, record in enumerate(records, start=1):
        told = "; ".join(f"{name}: {value}" if name else value for name, value in _fields(record, ""))
        if told:
            sections.append(Section(text=told, start=start, row=number))
            start += len(told) + 1
    return sections


def _fields(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Names and values, what is nested with the way to it: ``address.city``."""
    match value:
        case dict():
            for key, inner in cast("dict[str, Any]", value).items():
                yield from _fields(inner, f"{name}.{key}" if name else key)
        case list():
            several = cast("list[Any]", value)
            if all(isinstance(each, (str, int, float)) for each in several):
                yield from _fields(", ".join(str(each) for each in several), name)
            else:
                for inner in several:
                    yield from _fields(inner, name)
        case None | "":
            pass
        case bool():
            yield name, "yes" if value else "no"
        case _:
            yield name, str(value).strip()
