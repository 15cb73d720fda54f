"""Where documents come from: folders, web pages, exports of tickets, mail archives, databases."""

from bailiwick.retrieval.sources.item import Content, Item, Source
from bailiwick.retrieval.sources.open_sources import open_sources

__all__ = ["Content", "Item", "Source", "open_sources"]
