"""Documents taken in and searched: SQLite holds them, Chroma and FTS5 find them."""

from bailiwick.retrieval.embedders import Embedder, LangChainEmbedder, Manners
from bailiwick.retrieval.evaluation import Evaluation, evaluate
from bailiwick.retrieval.knowledge import Knowledge
from bailiwick.retrieval.passage import Found, Passage
from bailiwick.retrieval.report import DeadLetter, IngestProgress, IngestReport
from bailiwick.retrieval.reranker import Reranker
from bailiwick.retrieval.verify import Verdict

__all__ = [
    "DeadLetter",
    "Embedder",
    "Evaluation",
    "Found",
    "IngestProgress",
    "IngestReport",
    "Knowledge",
    "LangChainEmbedder",
    "Manners",
    "Passage",
    "Reranker",
    "Verdict",
    "evaluate",
]
