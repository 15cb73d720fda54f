"""A search ends in time with whatever is there, and says what is missing."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bailiwick.errors import ConfigError, RetrievalUnavailable
from bailiwick.resilience import deadline
from bailiwick.retrieval import Knowledge
from bailiwick.retrieval.embedders.static_embedder import StaticEmbedder
from bailiwick.tracing.spans import stop_using, use_provider

TEA = {"black.md": "# Black tea\n\nSteep four minutes.\n", "green.md": "# Green tea\n\nSteep two minutes.\n"}
QUESTION = "How long do I steep black tea?"


class Hesitant:
    """The static embedder, which takes its time over questions."""

    name = "static"

    def __init__(self, seconds: float) -> None:
        self.seconds = 0.0
        self.later = seconds
        self.static = StaticEmbedder.load()

    def embed_passages(self, texts):
        return self.static.embed_passages(texts)

    def embed_question(self, text: str):
        time.sleep(self.seconds)
        return self.static.embed_question(text)


@contextmanager
def hesitant_knowledge(shelf, seconds: float) -> Iterator[Knowledge]:
    embedder = Hesitant(seconds)
    shelf.write(TEA)
    with Knowledge.open(shelf.index, embedder=embedder) as knowledge:
        knowledge.ingest([shelf.documents])
        embedder.seconds = seconds
        yield knowledge


async def test_a_knowledge_that_was_never_filled_finds_nothing_and_makes_nothing(shelf) -> None:
    with Knowledge.open(shelf.index) as knowledge:
        found = await knowledge.search(QUESTION)
        assert not await knowledge.ready()
    assert (found.passages, found.mode, found.relevant) == ((), "none", False)
    assert found.degraded == ("nothing was ingested yet",)
    assert not shelf.index.exists()


async def test_a_knowledge_of_dead_letters_only_says_that_it_is_empty(shelf) -> None:
    shelf.write({"broken.pdf": b"%PDF-"})
    shelf.ingest()
    with Knowledge.open(shelf.index) as knowledge:
        found = await knowledge.search(QUESTION, timeout=10)
    assert (found.passages, found.relevant) == ((), False)
    assert found.degraded == ("the knowledge is empty",)


def test_a_file_that_is_no_knowledge_is_said_at_once(shelf) -> None:
    shelf.index.mkdir()
    (shelf.index / "rag.db").write_bytes(b"no database at all, " * 100)
    with pytest.raises(ConfigError, match=r"rag\.db"):
        Knowledge.open(shelf.index)


async def test_a_slow_vector_index_is_not_waited_for_and_holds_nobody_up(shelf) -> None:
    with hesitant_knowledge(shelf, 1.5) as knowledge:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                await asyncio.sleep(0.01)
                beats += 1

        heart = asyncio.create_task(beat())
        began = time.monotonic()
        # Three at once: those that hang take no thread from the keyword index.
        found = await asyncio.gather(*(knowledge.search(QUESTION, timeout=0.4) for _ in range(3)))
        took = time.monotonic() - began
        heart.cancel()
    assert took < 0.6
    assert beats > 15
    for one in found:
        assert one.mode == "keyword-only"
        assert one.degraded == ("vector search: no answer within 0.4 s",)
        assert one.passages[0].text == "Steep four minutes."
        assert one.relevant


async def test_the_turns_deadline_is_shorter_than_the_searchs_own(shelf) -> None:
    with hesitant_knowledge(shelf, 1.0) as knowledge:
        began = time.monotonic()
        with deadline(0.3):
            found = await knowledge.search(QUESTION, timeout=30)
        assert time.monotonic() - began < 0.5
    assert found.mode == "keyword-only"


async def test_no_time_at_all_is_an_error_and_not_a_hang(shelf) -> None:
    with hesitant_knowledge(shelf, 0.5) as knowledge, pytest.raises(RetrievalUnavailable, match="no answer within 0"):
        await knowledge.search(QUESTION, timeout=0)


@pytest.mark.parametrize("harm", ["removed", "garbage"])
async def test_a_broken_vector_index_leaves_the_keywords(shelf, harm: str) -> None:
    shelf.write(TEA)
    shelf.ingest()
    if harm == "removed":
        shutil.rmtree(shelf.index / "chroma")
    else:
        (file,) = (shelf.index / "chroma").glob("*/chroma.sqlite3")
        file.write_bytes(b"no database" * 1000)
    with Knowledge.open(shelf.index) as knowledge:
        assert not await knowledge.ready()
        found = await knowledge.search(QUESTION, timeout=10)
    assert found.mode == "keyword-only"
    assert found.passages[0].text == "Steep four minutes."
    assert found.degraded[0].startswith("vector search: ")
    assert found.relevant


async def test_a_broken_keyword_index_leaves_the_vectors_and_both_broken_is_an_error(shelf) -> None:
    shelf.write(TEA)
    shelf.ingest()
    with closing(sqlite3.connect(shelf.index / "rag.db")) as database:
        database.execute("DROP TABLE words")
    with Knowledge.open(shelf.index) as knowledge:
        await knowledge.ready()
        found = await knowledge.search(QUESTION, timeout=10)
        assert found.mode == "vector-only"
        assert found.degraded[0].startswith("keyword search: ")
        assert found.passages[0].text == "Steep four minutes."
        assert found.relevant
    shutil.rmtree(shelf.index / "chroma")
    with Knowledge.open(shelf.index) as knowledge:
        with pytest.raises(RetrievalUnavailable, match="neither index answers") as caught:
            await knowledge.search(QUESTION, timeout=10)
        assert caught.value.fix


@pytest.mark.parametrize(
    "question",
    [
        '"', "''", "AND OR NOT", "tea AND (", "NEAR(tea, 2)", "text:tea", "te*", "^tea", "{a b}: c", "-tea + coffee",
        "tea\x00tea", "100% [tea] | tea; DROP TABLE chunks; --", "ティー 🍵", "", "   ", "the of and",
        "\ud800 tea", "?" * 500,
    ],
)  # fmt: skip
async def test_nothing_in_a_question_is_syntax(desk: Knowledge, question: str) -> None:
    found = await desk.search(question, timeout=10)
    assert found.mode == "hybrid"
    assert not found.degraded
    assert not found.relevant


async def test_a_very_long_question_is_answered_in_time(desk: Knowledge) -> None:
    question = "How long do I have to return a lantern that I do not like? " + "And by the way, lanterns! " * 40_000
    began = time.monotonic()
    found = await desk.search(question, timeout=5)
    assert time.monotonic() - began < 1.0
    assert found.mode == "hybrid"
    assert found.passages


async def test_the_same_question_finds_the_same(desk: Knowledge) -> None:
    first, *others = [await desk.search("wick of the storm lantern", timeout=10) for _ in range(5)]
    assert all(other == first for other in others)


async def test_a_search_is_a_retriever_span(shelf) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with hesitant_knowledge(shelf, 1.0) as knowledge:
        use_provider(provider)
        try:
            await knowledge.search(QUESTION, timeout=0.3)
        finally:
            stop_using(provider)
    (span,) = exporter.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert span.name == "retrieve index"
    assert attributes["openinference.span.kind"] == "RETRIEVER"
    assert attributes["input.value"] == QUESTION
    assert attributes["bailiwick.retrieval.mode"] == "keyword-only"
    assert attributes["bailiwick.retrieval.degraded"] == ("vector search: no answer within 0.3 s",)
    assert attributes["bailiwick.retrieval.relevant"] is True
    assert 0 <= attributes["bailiwick.retrieval.deadline_left_s"] <= 0.3
    assert attributes["retrieval.documents.0.document.content"] == "Steep four minutes."
    assert attributes["retrieval.documents.0.document.id"]
    assert attributes["retrieval.documents.0.document.score"] > 0
    assert json.loads(attributes["retrieval.documents.0.document.metadata"])["citation"] == "black.md, Black tea"
