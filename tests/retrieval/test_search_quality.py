"""What the search finds of the desk's knowledge, in numbers. The floors are a little under what was measured."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from bailiwick.retrieval import Found, Knowledge, evaluate

with (Path(__file__).parent / "questions.csv").open(newline="") as file:
    QUESTIONS = list(csv.DictReader(file))

FLOORS = {"tuned": (0.93, 0.95), "held-out": (0.96, 0.95)}
"""Recall of the place among four passages, and share of right answers to "is there anything about it?"."""


@pytest.mark.parametrize("part", FLOORS)
async def test_recall_and_relevance(desk: Knowledge, part: str, record_property) -> None:
    rows = [row for row in QUESTIONS if row["set"] == part]
    found = [await desk.search(row["question"], k=4, timeout=10) for row in rows]
    assert all(one.mode == "hybrid" for one in found)
    answerable = [(row, one) for row, one in zip(rows, found, strict=True) if row["source"]]
    recall = mean([holds(one, row["source"], row["place"]) for row, one in answerable])
    relevance = mean([one.relevant == bool(row["source"]) for row, one in zip(rows, found, strict=True)])
    record_property("recall@4", recall)
    record_property("relevance accuracy", relevance)
    print(f"{part}: recall@4 {recall:.3f} of {len(answerable)}, relevance accuracy {relevance:.3f} of {len(rows)}")
    least_recall, least_relevance = FLOORS[part]
    assert recall >= least_recall
    assert relevance >= least_relevance


@pytest.mark.parametrize("question", ["How tall is Mount Everest?", "How do I cook rice?", "hello"])
async def test_what_the_desk_does_not_know_is_not_relevant(desk: Knowledge, question: str) -> None:
    assert not (await desk.search(question, timeout=10)).relevant


def test_the_fusion_loses_to_neither_index_on_any_kind_of_question(desk: Knowledge, tmp_path: Path) -> None:
    """Quoted, paraphrased, misspelt, and several passages at once; docs/figures.md has the numbers."""
    with (Path(__file__).parent / "desk_questions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(bool(row["relevant"]) for row in rows) >= 150
    for kind in dict.fromkeys(row["kind"] for row in rows if row["relevant"]):
        part = tmp_path / f"{kind}.csv"
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["kind", "question", "relevant"])
            writer.writeheader()
            writer.writerows(row for row in rows if row["kind"] == kind)
        legs = evaluate(desk, part, k=5).legs
        print(kind, {leg: (round(scores.recall, 3), round(scores.ndcg, 3)) for leg, scores in legs.items()})
        # A question more or less, of some forty.
        assert legs["hybrid"].recall >= max(legs["vector"].recall, legs["keyword"].recall) - 0.025, kind
        assert legs["hybrid"].ndcg >= max(legs["vector"].ndcg, legs["keyword"].ndcg) - 0.025, kind


def test_over_questions_that_nothing_was_fitted_to_the_fusion_is_better_than_either_index(desk: Knowledge) -> None:
    result = evaluate(desk, Path(__file__).parent / "unseen_questions.csv", k=5)
    assert (result.answerable, result.unanswerable) == (211, 57)
    hybrid, vector, keyword = (result.legs[leg] for leg in ("hybrid", "vector", "keyword"))
    assert hybrid.recall > max(vector.recall, keyword.recall)
    assert hybrid.ndcg > max(vector.ndcg, keyword.ndcg)


def holds(found: Found, source: str, place: str) -> bool:
    return any(passage.citation == f"{source}, {place}" for passage in found.passages)


def mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values)
