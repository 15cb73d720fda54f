"""Over an embedding server that refuses, chokes, stalls or falls over, every text gets its vector, and once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from langchain_openai import OpenAIEmbeddings
from pydantic import SecretStr

from bailiwick.errors import EmbedderUnavailable
from bailiwick.retrieval import Knowledge, LangChainEmbedder, Manners
from benchmarks.embedding_server import EmbeddingServer, embedding_server


class Few(LangChainEmbedder):
    """A few texts a request, so that there are many requests."""

    manners = Manners(requests_at_once=8, texts_at_once=4)


def asks(server: EmbeddingServer, kind: type[LangChainEmbedder] = LangChainEmbedder) -> LangChainEmbedder:
    client = OpenAIEmbeddings(
        model="served",
        base_url=server.url,
        api_key=SecretStr("none"),
        max_retries=0,
        check_embedding_ctx_length=False,
        chunk_size=1000,
    )
    return kind("openai:served", client)


@contextmanager
def served(shelf, kind: type[LangChainEmbedder] = LangChainEmbedder, **settings: Any) -> Iterator[Any]:
    with (
        embedding_server(**settings) as server,
        Knowledge.open(shelf.index, embedder=asks(server, kind)) as knowledge,
    ):
        yield server, knowledge


def notes(count: int) -> dict[str, str]:
    return {f"{number:04}.md": f"# Note {number}\n\nLantern {number} hangs in the hall.\n" for number in range(count)}


def assert_each_once(server: EmbeddingServer, count: int) -> None:
    assert len(server.embedded) == count
    assert set(server.embedded.values()) == {1}


def test_a_server_that_says_429_gets_everything_once_and_is_waited_for_as_it_asks(shelf) -> None:
    shelf.write(notes(200))
    with served(shelf, Few, per_second=25, burst=5, retry_after="1") as (server, knowledge):
        report = knowledge.ingest([shelf.documents])
    assert report.embedded == 200
    assert server.statuses[429] > 0
    assert_each_once(server, 200)
    assert len(shelf.vectors()) == 200


def test_a_batch_that_is_too_large_is_halved_until_it_fits(shelf) -> None:
    shelf.write(notes(100))
    with served(shelf, most_texts=10) as (server, knowledge):
        report = knowledge.ingest([shelf.documents])
    assert not report.dead_letters
    assert server.statuses[413] > 0
    assert_each_once(server, 100)


@pytest.mark.parametrize("status", [400, 500, 0], ids=["refused", "broken", "cut"])
async def test_a_text_that_the_server_chokes_on_is_a_dead_letter_and_the_others_come_in(shelf, status: int) -> None:
    shelf.write({**notes(70), "poison.md": "# Poison\n\nThis text kills the embedder.\n"})
    with served(shelf, Few, poison="kills", poison_status=status) as (server, knowledge):
        report = knowledge.ingest([shelf.documents])
        (letter,) = report.dead_letters
        assert letter.source == "poison.md"
        assert "the embedder refuses it" in letter.reason
        assert letter.passage
        assert_each_once(server, 70)
        # Its words still find it; and when the embedder can do it, it is asked again.
        found = await knowledge.search("what kills the embedder", timeout=10)
        assert found.passages[0].source == "poison.md"
        assert knowledge.stats().refused == 1
        assert not knowledge.ingest([shelf.documents]).dead_letters
        server.poison = ""
        assert knowledge.ingest([shelf.documents], retry_failed=True).embedded == 1
        assert knowledge.stats().refused == 0
        assert knowledge.verify(every=True).sound


def test_answers_that_fail_now_and_then_are_asked_for_again(shelf) -> None:
    shelf.write(notes(40))
    with served(shelf, Few, failing=5) as (server, knowledge):
        report = knowledge.ingest([shelf.documents])
    assert not report.dead_letters
    assert server.statuses[500] == 5
    assert_each_once(server, 40)


def test_a_server_that_is_gone_keeps_what_was_made_and_the_next_run_goes_on(shelf, monkeypatch) -> None:
    shelf.write(notes(60))
    monkeypatch.setattr("bailiwick.retrieval.embedders.embedding.PATIENCE_SECONDS", 1.0)
    with served(shelf, Few) as (server, knowledge):
        server.seconds = 0.02
        knowledge.ingest([shelf.documents / "0000.md"])
        server.down = True
        with pytest.raises(EmbedderUnavailable, match="openai:served") as caught:
            knowledge.ingest([shelf.documents])
        assert caught.value.fix
        server.down = False
        report = knowledge.ingest([shelf.documents])
        assert report.embedded == 59
        assert_each_once(server, 60)


def test_slow_answers_are_asked_for_side_by_side(shelf) -> None:
    shelf.write(notes(64))
    with served(shelf, Few, seconds=0.3) as (server, knowledge):
        began = time.monotonic()
        knowledge.ingest([shelf.documents])
        took = time.monotonic() - began
    assert_each_once(server, 64)
    assert took < 64 / 4 * 0.3 / 2


def test_equal_texts_of_several_documents_are_embedded_once(shelf) -> None:
    shelf.write({f"{number}.md": "# Same\n\nThe same words.\n" for number in range(30)})
    with served(shelf) as (server, knowledge):
        report = knowledge.ingest([shelf.documents])
    assert (report.added, report.embedded) == (30, 1)
    assert_each_once(server, 1)
    assert len(shelf.passages()) == 30


def test_a_wrong_key_is_said_at_once_and_not_tried_on_every_text(shelf) -> None:
    shelf.write(notes(50))
    with served(shelf, poison="Lantern", poison_status=401) as (server, knowledge):
        wrong_key = pytest.raises(EmbedderUnavailable, match="401")
        with wrong_key:
            knowledge.ingest([shelf.documents])
    assert server.statuses.total() <= 8
