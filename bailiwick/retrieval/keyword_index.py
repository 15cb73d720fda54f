"""The keyword half of a search: FTS5 with Porter's stemmer, and what a question's words weigh."""

from __future__ import annotations

import math
import re
import sqlite3
import time
from collections.abc import Mapping

from bailiwick.retrieval.filters import Where, where_sql

__all__ = ["Weighing", "keyword_search", "question_words"]

MAX_WORDS = 48
"""Words of a question that are looked for; a very long one says what it wants in its first few."""

_WORD = re.compile(r"[^\W_]+")
_COMMON_WORDS = """
a about after ain all also am an and any are aren as at be because been before being but by can
cannot could couldn d did didn do does doesn doing don done for from get gets getting give given go
goes going got had hadn has hasn have haven having he hello her here hers hi him his how i if in
into is isn it its itself just know let like ll m many may me might more most much must my need
needs no not now of off on once one only or other our out over own please re s same say shall she
should shouldn so some such t take tell than thank thanks that the their them then there these they
thing things this those through to too under until up us ve very want wants was wasn way we well
were weren what when where which while who whom whose why will with without won would wouldn yes you
your
"""
_COMMON = frozenset(_COMMON_WORDS.split())


def question_words(question: str) -> list[str]:
    """The words of a question that say something, each once. Empty: it has only words that are in every text."""
    words = dict.fromkeys(word for word in _WORD.findall(question.lower()) if word not in _COMMON)
    return list(words)[:MAX_WORDS]


def keyword_search(
    database: sqlite3.Connection, question: str, *, at_most: int, until: float, where: Where | None = None
) -> list[tuple[str, float]]:
    """Ids of passages that hold words of the question, with their BM25 (larger is better), best first.

    ``where`` narrows them down; None: all.

    Raises TimeoutError at the monotonic moment ``until``. Nothing in a question is syntax: its words are quoted.
    """
    words = question_words(question)
    if not words:
        return []
    # SQLite asks every so often whether to go on, which is the only way to end a query from outside its thread.
    database.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    condition, values = where_sql(where or {})
    try:
        rows = database.execute(
            "SELECT id, bm25(words, 1.0, 1.5) AS rank FROM words JOIN chunks ON number = words.rowid"  # noqa: S608
            f" WHERE words MATCH ? AND {condition} ORDER BY rank LIMIT ?",
            (" OR ".join(f'"{word}"' for word in words), *values, at_most),
        ).fetchall()
    except sqlite3.OperationalError as error:
        if "interrupted" in str(error):
            raise TimeoutError from error
        raise
    finally:
        database.set_progress_handler(None, 0)
    return [(name, -rank) for name, rank in rows]


class Weighing:
    """How much of what a question asks a text says: the share of the question's words in it, rare words counting more.

    Stems come from FTS5 itself, and their counts from the index, so that the words are the index's own. Close it.
    """

    def __init__(self, index: sqlite3.Connection, question: str) -> None:
        self._stemmer = sqlite3.connect(":memory:")
        try:
            self.weights = self._weigh(index, question)
        except BaseException:  # a broken index: nobody gets this object, so nobody could close it
            self._stemmer.close()
            raise

    def close(self) -> None:
        self._stemmer.close()

    def _weigh(self, index: sqlite3.Connection, question: str) -> dict[str, float]:
        self._stemmer.execute(
            "CREATE VIRTUAL TABLE texts USING fts5 (text, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        self._stemmer.execute("CREATE VIRTUAL TABLE stems USING fts5vocab (texts, 'instance')")
        total = index.execute("SELECT count(*) FROM chunks").fetchone()[0]
        weights: dict[str, float] = {}
        for stem in self._stems({"": " ".join(question_words(question))})[""]:
            row = index.execute("SELECT doc FROM terms WHERE term = ?", (stem,)).fetchone()
            weights[stem] = 1 + math.log((total + 1) / ((row[0] if row else 0) + 0.5))
        return weights

    def shares(self, texts: Mapping[str, str]) -> dict[str, float]:
        """For each text between 0 (none of the question's words) and 1 (all of them)."""
        whole = sum(self.weights.values())
        if whole <= 0:
            return dict.fromkeys(texts, 0.0)
        return {
            name: sum(weight for stem, weight in self.weights.items() if stem in stems) / whole
            for name, stems in self._stems(texts).items()
        }

    def _stems(self, texts: Mapping[str, str]) -> dict[str, set[str]]:
        names = list(texts)
        self._stemmer.execute("DELETE FROM texts")
        rows = [(number, texts[name]) for number, name in enumerate(names)]
        self._stemmer.executemany("INSERT INTO texts (rowid, text) VALUES (?, ?)", rows)
        found: dict[str, set[str]] = {name: set() for name in names}
        for term, number in self._stemmer.execute("SELECT term, doc FROM stems"):
            found[names[number]].add(term)
        return found
