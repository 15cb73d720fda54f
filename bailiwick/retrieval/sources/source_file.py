"""``NAME.source.yaml``: a source of documents that is no folder, told in a file beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bailiwick.documents import Fact
from bailiwick.errors import ConfigError
from bailiwick.retrieval.sources.columns import Columns
from bailiwick.retrieval.sources.folder import Files
from bailiwick.retrieval.sources.item import Source
from bailiwick.retrieval.sources.mailbox import Mailbox
from bailiwick.retrieval.sources.pages import Pages, Sitemap
from bailiwick.retrieval.sources.query import Query
from bailiwick.retrieval.sources.tickets import Tickets
from bailiwick.retrieval.sources.web import Web

__all__ = ["ENDING", "read_source_file"]

ENDING = ".source.yaml"


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    metadata: dict[str, Fact] = Field(default_factory=dict)
    """Of all its documents, for searches to filter by."""


class _Folder(_Told):
    kind: Literal["folder"]
    path: str


class _Urls(_Told):
    kind: Literal["urls"]
    urls: Annotated[list[str], Field(min_length=1)]
    per_second: Annotated[float, Field(gt=0, le=100)] = 4.0
    """Requests to any one host."""


class _SitemapTold(_Told):
    kind: Literal["sitemap"]
    url: str
    include: list[str] = Field(default_factory=list)
    per_second: Annotated[float, Field(gt=0, le=100)] = 4.0


class _TicketsTold(_Told):
    kind: Literal["tickets"]
    file: str
    """A file beside this one, or a pattern of files."""
    columns: Columns


class _Mbox(_Told):
    kind: Literal["mbox"]
    file: str


class _Sql(_Told):
    kind: Literal["sql"]
    database: str
    query: str
    columns: Columns


_ANY: TypeAdapter[_Folder | _Urls | _SitemapTold | _TicketsTold | _Mbox | _Sql] = TypeAdapter(
    Annotated[_Folder | _Urls | _SitemapTold | _TicketsTold | _Mbox | _Sql, Field(discriminator="kind")]
)


def read_source_file(file: Path, *, seen_from: Path, webs: list[Web]) -> Source:
    """The source that ``file`` tells of. A client that it needs is put into ``webs``, to be closed.

    Raises ConfigError that names the file, the key and the fix.
    """
    told = _validated(file)
    name = file.name.removesuffix(ENDING)
    match told:
        case _Folder():
            return Files(_beside(file, told.path), seen_from=seen_from, facts=told.metadata)
        case _Urls():
            webs.append(Web(per_second=told.per_second))
            return Pages(told.urls, webs[-1], name=name, facts=told.metadata)
        case _SitemapTold():
            webs.append(Web(per_second=told.per_second))
            return Sitemap(told.url, webs[-1], name=name, include=told.include, facts=told.metadata)
        case _TicketsTold():
            files = sorted(file.parent.glob(told.file))
            if not files:
                raise ConfigError(f"there is no file {told.file}", file=file, key="file", fix="correct the path")
            return Tickets(files, told.columns, name=name, said_in=file, facts=told.metadata)
        case _Mbox():
            return Mailbox(_beside(file, told.file), name=name, facts=told.metadata)
        case _Sql():
            return Query(told.database, told.query, told.columns, name=name, said_in=file, facts=told.metadata)


def _validated(file: Path) -> _Folder | _Urls | _SitemapTold | _TicketsTold | _Mbox | _Sql:
    try:
        said: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        return _ANY.validate_python(said)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"it cannot be read: {error}", file=file, fix="write YAML with a kind") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][1:]) or "kind"  # the first is the kind
        raise ConfigError(first["msg"], file=file, key=key, fix="see docs/knowledge.md for each kind's keys") from error


def _beside(file: Path, given: str) -> Path:
    path = file.parent / given
    if not path.exists():
        raise ConfigError(f"there is no {given}", file=file, key="file", fix="correct the path")
    return path
