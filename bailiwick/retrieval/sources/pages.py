"""Web pages: a list of addresses, or what a sitemap lists (https://www.sitemaps.org/protocol.html)."""

from __future__ import annotations

import fnmatch
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any, cast
from urllib.parse import urlsplit

from bailiwick.documents import MAX_BYTES, SUFFIXES, Fact
from bailiwick.errors import DocumentError
from bailiwick.retrieval.sources.item import Content, Item
from bailiwick.retrieval.sources.web import Fetched, Web

__all__ = ["Pages", "Sitemap"]

MAX_PAGES = 50_000
MAX_SITEMAPS = 500

_MEDIA_TYPES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}


class Pages:
    """The documents at these addresses."""

    folder = None
    skipped: Sequence[str] = ()

    def __init__(self, urls: Sequence[str], web: Web, *, name: str, facts: Mapping[str, Fact] | None = None) -> None:
        self.name = name
        self.scope = f"pages:{name}"
        self._urls = list(dict.fromkeys(urls))
        self._web = web
        self._facts = facts or {}
        # A list of one address says nothing about others that were given before.
        self.complete = len(urls) > 1
        self.count: int | None = len(self._urls)

    def items(self) -> Iterator[Item]:
        for url in self._urls:
            yield page(url, self._web, self._facts)


class Sitemap:
    """What the sitemap at ``url``, and those that it lists, name. ``include``: patterns of addresses; empty: all."""

    folder = None
    complete = True
    count: int | None = None

    def __init__(
        self,
        url: str,
        web: Web,
        *,
        name: str = "",
        include: Sequence[str] = (),
        facts: Mapping[str, Fact] | None = None,
    ) -> None:
        self.name = name or url
        self.scope = f"sitemap:{self.name}"
        self.skipped: list[str] = []
        self._url = url
        self._web = web
        self._include = include
        self._facts = facts or {}

    def items(self) -> Iterator[Item]:
        host = urlsplit(self._url).netloc
        seen: set[str] = set()
        waiting, maps = [self._url], 0
        while waiting:
            maps += 1
            if maps > MAX_SITEMAPS:
                raise DocumentError(f"it lists more than {MAX_SITEMAPS} sitemaps")
            kind, urls = _listed(self._web.get(waiting.pop(0)))
            for url in urls:
                if kind == "sitemapindex":
                    waiting.append(url)
                elif url in seen:
                    continue
                elif urlsplit(url).netloc != host:  # the protocol says so, and others' pages are not ours to fetch
                    self.skipped.append(url)
                elif not self._include or any(fnmatch.fnmatchcase(url, pattern) for pattern in self._include):
                    if len(seen) >= MAX_PAGES:
                        raise DocumentError(f"it lists more than {MAX_PAGES} pages", fix="narrow it down by include")
                    seen.add(url)
                    yield page(url, self._web, self._facts)


def page(url: str, web: Web, facts: Mapping[str, Fact]) -> Item:
    """The page at ``url``."""
    parts = urlsplit(url)
    name = f"{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    return Item(
        source=url,
        name=name.rstrip("/"),
        load=lambda validator: _content(web.get(url, validator)),
        facts={"kind": "page", "host": parts.hostname or "", "name": name.rstrip("/"), **facts},
        link=url,
    )


def _content(fetched: Fetched) -> Content | None:
    if fetched.data is None:
        return None
    suffix = _MEDIA_TYPES.get(fetched.media_type, "")
    named = PurePosixPath(urlsplit(fetched.url).path).suffix.lower()
    # Servers call everything that they do not know text/plain or octet-stream.
    if named in SUFFIXES and (not suffix or suffix == ".txt"):
        suffix = named
    if not suffix:
        raise DocumentError(f"there is no parser for {fetched.media_type or 'what has no media type'}")
    return Content(suffix=suffix, data=fetched.data, validator=fetched.validator)


def _listed(fetched: Fetched) -> tuple[str, list[str]]:
    """The root's name, and the addresses in it."""
    etree = cast("Any", import_module("lxml.etree"))  # it has no types
    data = fetched.data or b""
    if data[:2] == b"\x1f\x8b":
        data = _unpacked(data)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise DocumentError(f"the sitemap {fetched.url} is no XML: {error}") from error
    kind = etree.QName(root).localname
    if kind not in ("urlset", "sitemapindex"):
        raise DocumentError(f"{fetched.url} is no sitemap: its root is {kind!r}", fix="give a page's address as a page")
    return kind, [text for found in root.iter("{*}loc") if (text := (found.text or "").strip())]


def _unpacked(data: bytes) -> bytes:
    try:
        unpacked = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data, MAX_BYTES)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise DocumentError(f"the sitemap is broken: {error}") from error
    return unpacked
