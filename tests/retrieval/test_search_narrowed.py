"""Searches by facts and by tenant, without repeats, in a reranker's order, and from memory when all else fails."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bailiwick.errors import InputRefused, RetrievalUnavailable
from bailiwick.retrieval import Knowledge

TEA = {
    "black.md": "---\nproduct: tea\nsteep: 4\ntags: [strong, morning]\n---\n# Black tea\n\nSteep four minutes.\n",
    "green.md": "---\nproduct: tea\nsteep: 2\ntags: [mild]\n---\n# Green tea\n\nSteep two minutes.\n",
    "cups.txt": "Cups for tea are made of clay.",
}


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ({}, {"black.md", "green.md", "cups.txt"}),
        ({"product": "tea"}, {"black.md", "green.md"}),
        ({"kind": "txt"}, {"cups.txt"}),
        ({"tags": ["mild", "sour"]}, {"green.md"}),
        ({"tags": "morning", "product": "tea"}, {"black.md"}),
        ({"steep": {"from": 3}}, {"black.md"}),
        ({"steep": {"from": 1, "to": 2}}, {"green.md"}),
        ({"steep": {"from": "2026-01-01"}}, set()),
        ({"product": "coffee"}, set()),
        ({"nobody": "knows"}, set()),
    ],
)
async def test_both_indexes_are_narrowed_by_facts(shelf, where, names: set[str]) -> None:
    shelf.write(TEA)
    shelf.ingest()
    with Knowledge.open(shelf.index) as knowledge:
        await knowledge.ready()
        for only in (None, "vector", "keyword"):
            found = await knowledge.search("tea", k=10, where=where, only=only, timeout=10)
            assert {passage.source for passage in found.passages} == names, only


@pytest.mark.parametrize("where", [{"a": None}, {"a": {"least": 1}}, {"a": {}}, {"a": [["b"]]}])
async def test_a_filter_that_is_none_is_one_clear_error(shelf, where) -> None:
    with Knowledge.open(shelf.index) as knowledge, pytest.raises(InputRefused, match="'a'") as caught:
        await knowledge.search("tea", where=where)
    assert caught.value.fix


async def test_a_filter_on_many_documents_finds_what_a_search_of_them_alone_does(make_shelf, monkeypatch) -> None:
    """Most passages allowed, and few: the first asks Chroma for more than it needs, the second names them."""
    monkeypatch.setattr("bailiwick.retrieval.searching.FEW", 100)
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(300)]

    class Counting:
        name = "counting"

        def embed_passages(self, texts: Sequence[str]):
            vectors = np.full((len(texts), 64), 0.01, dtype=np.float32)
            for row, text in zip(vectors, texts, strict=True):
                for word in text.split():
                    row[hash_of(word)] += 1
            return vectors

        def embed_question(self, text: str):
            return self.embed_passages([text])

    def hash_of(word: str) -> int:
        return sum(map(ord, word)) % 64

    documents = {
        f"{part}/{number}.md": f"---\npart: {part}\n---\n" + " ".join(rng.choice(words, 12))
        for part, count in (("many", 900), ("few", 60))
        for number in range(count)
    }
    shelf = make_shelf("all")
    shelf.write(documents)
    with Knowledge.open(shelf.index, embedder=Counting()) as knowledge:
        knowledge.ingest([shelf.documents])
        for part in ("many", "few"):
            alone = make_shelf(part)
            alone.write({name: text for name, text in documents.items() if name.startswith(part)})
            with Knowledge.open(alone.index, embedder=Counting()) as other:
                other.ingest([alone.documents])
                for _ in range(5):
                    question = " ".join(rng.choice(words, 4))
                    narrowed = await knowledge.search(question, k=10, where={"part": part}, only="vector", timeout=10)
                    whole = await other.search(question, k=10, only="vector", timeout=10)
                    ours = [round(passage.score, 4) for passage in narrowed.passages]
                    assert len({p.text for p in narrowed.passages} & {p.text for p in whole.passages}) >= 8, (
                        part,
                        ours,
                    )


async def test_tenants_see_nothing_of_each_other(shelf, make_shelf) -> None:
    shelf.write({"price.md": "# Price\n\nAcme pays ninety euro.\n"})
    other = make_shelf("other")
    other.write({"price.md": "# Price\n\nGlobex pays forty euro.\n", "more.md": "Globex only."})
    with Knowledge.open(shelf.index) as knowledge:
        acme, globex = knowledge.for_tenant("acme"), knowledge.for_tenant("globex")
        acme.ingest([shelf.documents])
        globex.ingest([other.documents])
        assert knowledge.for_tenant("acme") is acme
        for tenant, says in ((acme, "Acme pays ninety euro."), (globex, "Globex pays forty euro.")):
            found = await tenant.search("What is the price?", k=10, timeout=10)
            assert found.passages[0].text == says
        assert {passage.text for passage in (await acme.search("Globex only", k=10, timeout=10)).passages} == {
            "Acme pays ninety euro."
        }
        assert (await knowledge.search("price")).mode == "none"
        assert [passage.id for passage in acme.passages("price.md")] != [
            passage.id for passage in globex.passages("price.md")
        ]
    with Knowledge.open(shelf.index, tenant="globex") as knowledge:
        assert len(knowledge.documents()) == 2


@pytest.mark.parametrize("name", ["../acme", "", "a/b", ".hidden", "x" * 65])
def test_a_tenants_name_is_no_path(shelf, name: str) -> None:
    with Knowledge.open(shelf.index) as knowledge, pytest.raises(InputRefused, match="tenant"):
        knowledge.for_tenant(name)


async def test_passages_that_say_the_same_are_told_once_with_where_else_they_stand(shelf) -> None:
    said = "Lantern oil is to be kept in a cool and dark place, away from children and from open fire."
    shelf.write({"a.md": f"# Oil\n\n{said}\n", "b.md": f"# Safety\n\n{said}\n", "c.md": "# Wicks\n\nKeep wicks dry.\n"})
    shelf.ingest()
    with Knowledge.open(shelf.index) as knowledge:
        found = await knowledge.search("Where do I keep lantern oil?", k=4, timeout=10)
    assert [passage.text for passage in found.passages] == [said, "Keep wicks dry."]
    assert {found.passages[0].citation, *found.passages[0].also} == {"a.md, Oil", "b.md, Safety"}


class Longest:
    name = "longest"

    def __init__(self, seconds: float = 0.0, scores: int | None = None) -> None:
        self.seconds, self.scores = seconds, scores

    def rerank(self, question: str, passages: Sequence[str]) -> Sequence[float]:
        time.sleep(self.seconds)
        return [float(len(passage)) for passage in passages][: self.scores]


@pytest.mark.parametrize(
    ("reranker", "first", "says"),
    [
        (Longest(), "cups.txt", None),
        (Longest(seconds=2.0), "black.md", "reranker longest: no answer in time"),
        (Longest(scores=1), "black.md", "reranker longest: ValueError: 1 scores for 3 passages"),
    ],
)
async def test_a_reranker_has_the_last_word_if_it_has_it_in_time(shelf, reranker, first: str, says: str | None) -> None:
    shelf.write({**TEA, "cups.txt": "Cups for tea are made of clay, and that is all that there is to say of cups."})
    shelf.ingest()
    with Knowledge.open(shelf.index, reranker=reranker) as knowledge:
        await knowledge.ready()
        found = await knowledge.search("How long do I steep black tea?", timeout=1.0)
    assert found.passages[0].source == first
    assert found.degraded == ((says,) if says else ())


async def test_when_neither_index_answers_it_is_the_last_good_answer_to_the_same_question(shelf) -> None:
    shelf.write(TEA)
    shelf.ingest()
    with Knowledge.open(shelf.index) as knowledge:
        await knowledge.ready()
        good = await knowledge.search("How long do I steep black tea?", timeout=10)
        shutil.rmtree(shelf.index / "chroma")
        (shelf.index / "rag.db").write_bytes(b"no database" * 1000)
        for leftover in shelf.index.glob("rag.db-*"):
            leftover.unlink()
        found = await knowledge.search("  how long do I STEEP black tea? ", timeout=10)
        assert (found.mode, found.passages, found.relevant) == ("cached", good.passages, True)
        assert "neither index answers" in found.degraded[0]
        assert "the last good answer" in found.degraded[1]
        with pytest.raises(RetrievalUnavailable):
            await knowledge.search("How long do I steep green tea?", timeout=10)


async def test_a_passages_link_opens_its_page(desk: Knowledge) -> None:
    found = await desk.search("How many millilitres of lamp oil go into the tank?", timeout=10)
    link = found.passages[0].link
    assert link.endswith("knowledge/harbour-lantern-manual.pdf#page=2")
    assert Path(link.removeprefix("file://").partition("#")[0]).is_file()
