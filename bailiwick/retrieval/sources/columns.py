"""Records of an export or a query as documents, by which column means what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bailiwick.documents import Fact, Section, facts_of
from bailiwick.errors import DocumentError
from bailiwick.retrieval.sources.item import Content, Item

__all__ = ["Columns", "record_item"]


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Columns(BaseModel):
    """Which column of a record means what. ``metadata`` and ``link`` empty: there are none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    """The column whose value never changes for a record and is never another's."""
    title: str = ""
    text: Annotated[list[str], BeforeValidator(_several), Field(min_length=1)]
    """Columns that hold what is to be found, in this order."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """What a search may filter by: its name, and the column."""
    link: str = ""
    """Where a record is opened, with columns in braces: ``https://crm.example/tickets/{id}``."""

    def missing(self, names: Mapping[str, Any]) -> str | None:
        """The first column that records of these names do not have."""
        wanted = [self.id, *([self.title] if self.title else []), *self.text, *self.metadata.values()]
        return next((name for name in [*wanted, *re.findall(r"\{([^{}]+)\}", self.link)] if name not in names), None)


def record_item(
    record: Mapping[str, Any], columns: Columns, *, scope: str, name: str, facts: Mapping[str, Fact]
) -> Item:
    """The document that a record is. Loading it raises DocumentError when there is no text in it.

    Raises DocumentError for a record without an id.
    """
    key = _text(record.get(columns.id))
    if not key:
        raise DocumentError(f"a record has no {columns.id}", fix="name another column as id")
    title = _text(record.get(columns.title)) if columns.title else ""
    link = re.sub(r"\{([^{}]+)\}", lambda found: _text(record.get(found[1])), columns.link)

    def load(_: str) -> Content:
        parts = [(column, _text(record.get(column))) for column in columns.text]
        text = "\n\n".join(f"{column}: {part}" if len(columns.text) > 1 else part for column, part in parts if part)
        if not text:
            raise DocumentError("there is no text in it")
        return Content(sections=[Section(text=text, start=0, heading=title)])

    own = facts_of({fact: record.get(column) for fact, column in columns.metadata.items()})
    return Item(source=f"{scope}#{key}", name=f"{name}#{key}", load=load, facts={**facts, **own}, link=link)


def _text(value: object) -> str:
    return "" if value is None else str(value).replace("\r\n", "\n").replace("\x00", "").strip()
