"""How well a search finds what questions need, on a team's own questions."""

from __future__ import annotations

import asyncio
import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from bailiwick.errors import ConfigError
from bailiwick.retrieval.knowledge import Knowledge
from bailiwick.retrieval.passage import Passage

__all__ = ["Evaluation", "QuestionResult", "Scores", "evaluate"]

Leg = Literal["hybrid", "vector", "keyword"]
SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Means over the questions that have an answer, between 0 and 1."""

    recall: float
    """Of what is relevant, the share among the first k."""
    ndcg: float
    """Discounted cumulative gain of the first k over the best possible (Järvelin and Kekäläinen, 2002)."""
    mrr: float
    """One over the rank of the first relevant passage; 0 where none is among the first k."""


@dataclass(frozen=True, kw_only=True)
class QuestionResult:
    """One question."""

    question: str
    relevant: Sequence[str]
    found: Sequence[str]
    """Citations of the first k."""
    scores: Scores
    fits: bool
    """Whether the search held that it found something that fits."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was measured."""

    k: int
    answerable: int
    unanswerable: int
    legs: Mapping[Leg, Scores]
    relevance: float
    """How often it was right about whether there is anything that fits, over all questions."""
    questions: Sequence[QuestionResult] = field(default_factory=tuple[QuestionResult, ...])

    def worst(self, at_most: int) -> list[QuestionResult]:
        """Answerable questions by their nDCG, the worst first; those that found everything are left out."""
        missed = [each for each in self.questions if each.relevant and each.scores.ndcg < 1.0]
        return sorted(missed, key=lambda each: each.scores.ndcg)[:at_most]

    def as_dict(self, *, worst: int) -> dict[str, Any]:
        """For a program to read."""
        told = {key: value for key, value in asdict(self).items() if key != "questions"}
        return {**told, "worst": [asdict(each) for each in self.worst(worst)]}

    def as_text(self, *, worst: int) -> str:
        """For people to read."""
        lines = [
            f"{self.answerable} questions with an answer, {self.unanswerable} without; k = {self.k}",
            f"{'':>8}  recall@{self.k}  nDCG@{self.k}  MRR@{self.k}",
        ]
        lines += [
            f"{leg:>8}  {scores.recall:>8.3f}  {scores.ndcg:>6.3f}  {scores.mrr:>5.3f}"
            for leg, scores in self.legs.items()
        ]
        lines.append(f"right about whether anything fits: {self.relevance:.3f}")
        for each in self.worst(worst):
            lines += [
                "",
                f"{each.scores.ndcg:.2f}  {each.question}",
                f"      wanted {'; '.join(each.relevant)}",
                f"      found  {'; '.join(each.found) or 'nothing'}",
            ]
        return "\n".join(lines) + "\n"


def evaluate(knowledge: Knowledge, questions: Path, *, k: int = 5) -> Evaluation:
    """Ask every question of the CSV file ``questions`` and compare what is found with what it names.

    Columns: ``question``, and ``relevant`` with what answers it, several separated by semicolons: a citation
    (``returns.md, How long you have``), a document's name (any of its passages will do), or words of a passage in
    double quotes. Empty: nothing answers it. Blocks. Raises ConfigError for a file that is none.
    """
    rows = _rows(questions)
    return asyncio.run(_evaluate(knowledge, rows, k))


async def _evaluate(knowledge: Knowledge, rows: Sequence[tuple[str, list[str]]], k: int) -> Evaluation:
    await knowledge.ready()
    results: list[QuestionResult] = []
    sums: dict[Leg, list[Scores]] = {"hybrid": [], "vector": [], "keyword": []}
    for question, relevant in rows:
        for leg, scores in sums.items():
            found = await knowledge.search(question, k=k, timeout=SECONDS, only=None if leg == "hybrid" else leg)
            own = _scores(found.passages, relevant, k)
            if relevant:
                scores.append(own)
            if leg == "hybrid":
                results.append(
                    QuestionResult(
                        question=question,
                        relevant=relevant,
                        found=[passage.citation for passage in found.passages],
                        scores=own,
                        fits=found.relevant,
                    )
                )
    answerable = sum(bool(relevant) for _, relevant in rows)
    return Evaluation(
        k=k,
        answerable=answerable,
        unanswerable=len(rows) - answerable,
        legs={leg: _mean(scores) for leg, scores in sums.items()},
        relevance=sum(each.fits == bool(each.relevant) for each in results) / max(len(results), 1),
        questions=results,
    )


def _rows(file: Path) -> list[tuple[str, list[str]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"the questions cannot be read: {error}", file=file, fix="give a CSV file") from error
    if not rows or not {"question", "relevant"} <= set(rows[0]):
        raise ConfigError(
            "there are no questions in it",
            file=file,
            key="question, relevant",
            fix="write a first line with these columns, and a line for each question",
        )
    return [
        (row["question"], [part.strip() for part in (row["relevant"] or "").split(";") if part.strip()]) for row in rows
    ]


def _scores(passages: Sequence[Passage], relevant: Sequence[str], k: int) -> Scores:
    """Each thing that is wanted counts once, at the first passage that is it."""
    open_ = list(relevant)
    gains: list[float] = []
    for passage in passages[:k]:
        met = next((wanted for wanted in open_ if _is(passage, wanted)), None)
        gains.append(0.0 if met is None else 1.0)
        if met is not None:
            open_.remove(met)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    gained = sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
    first = next((rank for rank, gain in enumerate(gains, start=1) if gain), 0)
    return Scores(
        recall=sum(gains) / len(relevant) if relevant else 0.0,
        ndcg=gained / best if best else 0.0,
        mrr=1 / first if first else 0.0,
    )


def _is(passage: Passage, wanted: str) -> bool:
    if wanted.startswith('"') and wanted.endswith('"'):
        return " ".join(wanted.strip('"').lower().split()) in " ".join(passage.text.lower().split())
    return wanted in (passage.citation, passage.source, passage.id, *passage.also)


def _mean(scores: Sequence[Scores]) -> Scores:
    count = max(len(scores), 1)
    return Scores(
        recall=sum(each.recall for each in scores) / count,
        ndcg=sum(each.ndcg for each in scores) / count,
        mrr=sum(each.mrr for each in scores) / count,
    )
