"""From what a person names – paths, addresses, source files – to the sources."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bailiwick.errors import ConfigError
from bailiwick.retrieval.sources.folder import Files, walk
from bailiwick.retrieval.sources.item import Source
from bailiwick.retrieval.sources.mailbox import Mailbox
from bailiwick.retrieval.sources.pages import Pages, Sitemap
from bailiwick.retrieval.sources.source_file import ENDING, read_source_file
from bailiwick.retrieval.sources.web import Web

__all__ = ["open_sources"]


@contextmanager
def open_sources(given: Sequence[Path | str], *, seen_from: Path) -> Generator[list[Source]]:
    """The sources of these, and their connections for as long as the context lasts.

    An address that ends in ``.xml`` or ``.xml.gz`` is a sitemap, any other a page; a file that ends in ``.mbox`` is a
    mail archive, and ``NAME.source.yaml`` tells of a source, also where it lies in a folder that is named. Everything
    is looked at before anything is read. Raises ConfigError.
    """
    seen_from = seen_from.resolve()
    webs: list[Web] = []
    try:
        yield [source for each in given for source in _sources(each, seen_from, webs)]
    finally:
        for web in webs:
            web.close()


def _sources(given: Path | str, seen_from: Path, webs: list[Web]) -> Iterator[Source]:
    address = str(given)
    if isinstance(given, str) and "://" in given:
        if not given.startswith(("http://", "https://")):
            raise ConfigError(
                f"{given!r} is no address of a web page", fix="http:// or https://, a path, or a source file"
            )
        if not webs:
            webs.append(Web())
        if given.partition("?")[0].endswith((".xml", ".xml.gz")):
            yield Sitemap(given, webs[0])
        else:
            yield Pages([given], webs[0], name=given)
        return
    path = Path(given)
    if path.is_file() and address.endswith(ENDING):
        yield read_source_file(path, seen_from=seen_from, webs=webs)
    elif path.is_file() and path.suffix.lower() == ".mbox":
        yield Mailbox(path, name=path.name)
    elif path.is_dir():
        told = [file for file in walk(path.resolve()) if file.name.endswith(ENDING)]
        # Before the folder itself: what is wrong in one of them is said before anything is read.
        others = [read_source_file(file, seen_from=seen_from, webs=webs) for file in told]
        yield Files(path, seen_from=seen_from, without=_theirs(told))
        yield from others
    else:
        yield Files(path, seen_from=seen_from)


def _theirs(told: Sequence[Path]) -> list[Path]:
    """Files that belong to a source file of the same folder, and are no documents by themselves."""
    import yaml

    found = list(told)
    for file in told:
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        if isinstance(said.get("file"), str):
            found += file.parent.glob(said["file"])
    return found
