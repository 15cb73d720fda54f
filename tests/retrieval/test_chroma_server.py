"""Vectors on Chroma servers: one setting, several readers, one writer, a standby that takes over."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bailiwick.errors import ConfigError
from bailiwick.retrieval import Knowledge
from benchmarks.chroma_server import ChromaServer, chroma_server

TEA = {"black.md": "# Black tea\n\nSteep four minutes.\n", "green.md": "# Green tea\n\nSteep two minutes.\n"}
QUESTION = "How long do I steep black tea?"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ChromaServer, ChromaServer]]:
    folder: Path = tmp_path_factory.mktemp("chroma")
    with chroma_server(folder / "first") as first, chroma_server(folder / "standby") as standby:
        yield first, standby


async def test_one_setting_and_several_readers_while_one_writes(shelf, servers, monkeypatch) -> None:
    monkeypatch.setenv("BAILIWICK_CHROMA", servers[0].url)
    shelf.write(TEA)
    shelf.ingest()
    assert not (shelf.index / "chroma").exists()
    with (
        Knowledge.open(shelf.index) as one,
        Knowledge.open(shelf.index) as other,
        Knowledge.open(shelf.index) as writer,
    ):
        assert await one.ready()
        found = await asyncio.gather(*(each.search(QUESTION, timeout=10) for each in (one, other) * 8))
        assert {(each.mode, each.passages[0].text, each.degraded) for each in found} == {
            ("hybrid", "Steep four minutes.", ())
        }
        shelf.write({"white.md": "# White tea\n\nSteep five minutes.\n"})
        await asyncio.to_thread(writer.ingest, [shelf.documents])
        # A server shows each change to everybody at once.
        assert (await one.search("white tea", timeout=10, only="vector")).passages[0].text == "Steep five minutes."
        assert one.verify(every=True).sound
        assert (await one.search("tea", where={"name": "green.md"}, timeout=10)).passages[0].source == "green.md"


async def test_a_standby_is_fed_from_the_same_manifest_and_takes_over(shelf, servers) -> None:
    first, standby = servers
    urls = [first.url, standby.url]
    shelf.write(TEA)
    with Knowledge.open(shelf.index, servers=urls) as knowledge:
        assert not knowledge.ingest([shelf.documents]).behind
        try:
            # One that hangs takes its share of the time, then the other answers; after that it is asked last.
            assert first.process is not None
            first.process.send_signal(signal.SIGSTOP)
            found = await knowledge.search(QUESTION, timeout=4)
            assert (found.mode, found.passages[0].text) == ("hybrid", "Steep four minutes.")
            assert found.degraded == (f"vector search: the standby {standby.url} answered",)
            began = time.monotonic()
            assert (await knowledge.search(QUESTION, timeout=4)).mode == "hybrid"
            assert time.monotonic() - began < 1
        finally:
            assert first.process is not None
            first.process.send_signal(signal.SIGCONT)


async def test_a_standby_that_was_down_is_brought_up_to_date_by_the_next_ingestion(shelf, servers) -> None:
    first, standby = servers
    shelf.write(TEA)
    with Knowledge.open(shelf.index, servers=[first.url, standby.url]) as knowledge:
        standby.stop()
        report = knowledge.ingest([shelf.documents])
        assert (report.added, report.behind) == (2, (standby.url,))
        standby.start()
        assert not knowledge.ingest([shelf.documents]).behind
    with Knowledge.open(shelf.index, servers=[standby.url]) as knowledge:
        assert knowledge.verify(every=True).sound
        assert (await knowledge.search(QUESTION, timeout=10, only="vector")).passages[0].text == "Steep four minutes."


async def test_with_no_server_the_words_are_still_searched(shelf, tmp_path: Path) -> None:
    shelf.write(TEA)
    with chroma_server(tmp_path / "short") as server, Knowledge.open(shelf.index, servers=[server.url]) as knowledge:
        knowledge.ingest([shelf.documents])
        server.stop()
        found = await knowledge.search(QUESTION, timeout=5)
        assert (found.mode, found.passages[0].text) == ("keyword-only", "Steep four minutes.")
        assert server.url in found.degraded[0]
        with pytest.raises(ConfigError, match=server.url) as caught:
            knowledge.ingest([shelf.documents])
        assert caught.value.fix


def test_an_address_that_is_none_is_said_at_once(shelf) -> None:
    with pytest.raises(ConfigError, match="localhost:8000") as caught:
        Knowledge.open(shelf.index, servers=["localhost:8000"])
    assert caught.value.key == "BAILIWICK_CHROMA"


def test_rebuilding_on_servers_puts_a_new_collection_in_the_old_ones_place(shelf, servers) -> None:
    shelf.write(TEA)
    with Knowledge.open(shelf.index, servers=[servers[0].url]) as knowledge:
        knowledge.ingest([shelf.documents])
        assert knowledge.rebuild() == 2
        assert knowledge.verify(every=True).sound
