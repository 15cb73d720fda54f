"""What a document says: its bytes parsed in a process of their own, and its text cut into passages."""

from bailiwick.documents.chunk import CHUNKER, Chunk, cut, digest, indexed_text
from bailiwick.documents.csv_rows import csv_delimiter
from bailiwick.documents.front_matter import facts_of
from bailiwick.documents.parse import MAX_BYTES, SUFFIXES, Parsed
from bailiwick.documents.parser_process import ParserLimits, ParserProcess
from bailiwick.documents.section import Fact, Section

__all__ = [
    "CHUNKER",
    "MAX_BYTES",
    "SUFFIXES",
    "Chunk",
    "Fact",
    "Parsed",
    "ParserLimits",
    "ParserProcess",
    "Section",
    "csv_delimiter",
    "cut",
    "digest",
    "facts_of",
    "indexed_text",
]
