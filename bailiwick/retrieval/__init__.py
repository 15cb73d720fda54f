"""Documents taken in and searched: SQLite holds them, Chroma and FTS5 find them."""

from bailiwick.retrieval.embedders.embedder import Embedder, LangChainEmbedder
from bailiwick.retrieval.knowledge import Knowledge
from bailiwick.retrieval.passage import Found, Passage
from bailiwick.retrieval.report import DeadLetter, IngestReport

__all__ = ["DeadLetter", "Embedder", "Found", "IngestReport", "Knowledge", "LangChainEmbedder", "Passage"]
