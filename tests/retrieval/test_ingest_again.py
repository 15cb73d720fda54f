"""Ingesting again does what has changed and nothing else, and loses nothing that it should not."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing

import pytest

from bailiwick.errors import ConfigError
from bailiwick.retrieval import IngestProgress, Knowledge

TEA = {
    "green.md": "# Green\n\nSteep two minutes.\n\n# Jasmine\n\nScented with flowers.\n",
    "black.md": "# Black\n\nSteep four minutes.\n",
    "prices.csv": "tea,price\nSencha,9.50\nAssam,7.00\n",
}


def counts(report) -> tuple[int, int, int]:
    return report.added, report.unchanged, report.removed


def test_what_has_not_changed_is_skipped(shelf) -> None:
    shelf.write(TEA)
    assert counts(shelf.ingest()) == (5, 0, 0)
    before = shelf.passages(), shelf.vectors()
    assert counts(shelf.ingest()) == (0, 5, 0)
    assert (shelf.passages(), shelf.vectors()) == before
    assert before[0].keys() == before[1].keys()


def test_ids_are_the_same_wherever_the_project_lies_and_in_whatever_order_it_grew(make_shelf) -> None:
    one, other = make_shelf("one"), make_shelf("other")
    one.write(TEA)
    one.ingest()
    for name in reversed(TEA):
        other.write({name: TEA[name]})
        other.ingest()
    assert one.passages() == other.passages()


def test_equal_passages_are_kept_apart(shelf) -> None:
    shelf.write(
        {"twice.md": "# A\n\nThe same words.\n\n# A\n\nThe same words.\n", "again.md": "# A\n\nThe same words.\n"}
    )
    assert shelf.ingest().added == 3
    assert len(shelf.vectors()) == 3


def test_an_edit_replaces_only_what_it_touched(shelf) -> None:
    shelf.write(TEA)
    shelf.ingest()
    before = shelf.passages()
    shelf.write({"green.md": TEA["green.md"].replace("two minutes", "three minutes")})
    assert counts(shelf.ingest()) == (1, 4, 1)
    after = shelf.passages()
    assert len(before.keys() & after.keys()) == 4
    assert "Steep three minutes." in after.values()
    assert "Steep two minutes." not in after.values()
    assert shelf.vectors().keys() == after.keys()


async def test_a_passage_that_moved_keeps_its_id_and_is_found_in_its_new_place(shelf) -> None:
    shelf.write(TEA)
    shelf.ingest()
    shelf.write({"prices.csv": "tea,price\nGyokuro,21.00\nSencha,9.50\nAssam,7.00\n"})
    assert counts(shelf.ingest()) == (1, 5, 0)
    with Knowledge.open(shelf.index) as knowledge:
        found = await knowledge.search("price of Assam", timeout=10)
    assert found.passages[0].citation == "prices.csv, row 3"


def test_a_document_that_is_gone_is_taken_out(shelf) -> None:
    shelf.write(TEA)
    shelf.ingest()
    (shelf.documents / "black.md").unlink()
    assert counts(shelf.ingest()) == (0, 4, 1)
    assert "Steep four minutes." not in shelf.passages().values()
    assert shelf.vectors().keys() == shelf.passages().keys()


def test_many_documents_gone_at_once_are_kept_until_it_is_said_that_they_may_go(shelf) -> None:
    shelf.write({f"{n}.md": f"Document number {n}." for n in range(8)})
    shelf.ingest()
    for n in range(6):
        (shelf.documents / f"{n}.md").unlink()
    report = shelf.ingest()
    assert counts(report) == (0, 2, 0)
    assert list(report.held_back) == [f"{n}.md" for n in range(6)]
    assert len(shelf.passages()) == 8
    assert counts(shelf.ingest(prune_all=True)) == (0, 2, 6)
    assert len(shelf.passages()) == len(shelf.vectors()) == 2


def test_what_lies_elsewhere_is_not_pruned(shelf) -> None:
    shelf.write(TEA)
    shelf.write({"more/white.md": "# White\n\nSteep five minutes.\n"})
    shelf.ingest()
    with Knowledge.open(shelf.index) as knowledge:
        report = knowledge.ingest([shelf.documents / "more"])
        assert counts(report) == (0, 1, 0)
        report = knowledge.ingest([shelf.documents / "black.md"])
    assert counts(report) == (0, 1, 0)
    assert len(shelf.passages()) == 6


def test_a_file_taken_in_by_itself_takes_nothing_else_out(shelf) -> None:
    shelf.write(TEA)
    shelf.ingest()
    with Knowledge.open(shelf.index) as knowledge:
        report = knowledge.ingest([shelf.documents / "black.md"], prune_all=True)
    assert counts(report) == (0, 1, 0)
    assert not report.held_back
    assert len(shelf.passages()) == 5


def test_what_lies_beside_the_folder_above_is_not_pruned(tmp_path, shelf_class) -> None:
    beside, shelf = shelf_class(tmp_path / "beside"), shelf_class(tmp_path / "project")
    beside.write(TEA)
    shelf.write({"white.md": "# White\n\nSteep five minutes.\n"})
    with Knowledge.open(shelf.index) as knowledge:
        knowledge.ingest([beside.documents, shelf.documents])
        # From the index the project is "..", and so are the ways to everything around it.
        report = knowledge.ingest([tmp_path / "project"])
    assert counts(report) == (0, 1, 0)
    assert len(shelf.passages()) == 6


def test_a_document_that_breaks_keeps_what_was_known_of_it(shelf) -> None:
    shelf.write(TEA)
    shelf.ingest()
    shelf.write({"black.md": "Grüße".encode("latin-1")})
    report = shelf.ingest()
    assert [letter.source for letter in report.dead_letters] == ["black.md"]
    assert "Steep four minutes." in shelf.passages().values()
    shelf.write({"black.md": TEA["black.md"]})
    assert not shelf.ingest().dead_letters
    with closing(sqlite3.connect(shelf.index / "rag.db")) as database:
        assert database.execute("SELECT count(*) FROM dead_letters").fetchone()[0] == 0


def test_a_link_that_leads_out_of_the_folder_is_not_followed(shelf, tmp_path) -> None:
    (tmp_path / "secret.md").write_text("# Secret\n\nNot for customers.\n")
    shelf.write(TEA)
    (shelf.documents / "link.md").symlink_to(tmp_path / "secret.md")
    report = shelf.ingest()
    assert [letter.source for letter in report.dead_letters] == ["link.md"]
    assert not any("Not for customers" in text for text in shelf.passages().values())


def test_a_lost_or_broken_vector_index_is_made_again_without_embedding_anything_anew(shelf) -> None:
    shelf.write(TEA)
    shelf.ingest()
    vectors = shelf.vectors()
    shutil.rmtree(shelf.index / "chroma")
    with Knowledge.open(shelf.index, embedder=CannotEmbed()) as knowledge:
        assert counts(knowledge.ingest([shelf.documents])) == (0, 5, 0)
    assert shelf.vectors() == vectors
    (file,) = (shelf.index / "chroma").glob("*/chroma.sqlite3")
    file.write_bytes(b"no database" * 1000)
    with Knowledge.open(shelf.index, embedder=CannotEmbed()) as knowledge:
        knowledge.ingest([shelf.documents])
    assert shelf.vectors() == vectors


def test_vectors_that_went_missing_or_strayed_in_are_put_right(shelf) -> None:
    shelf.write(TEA)
    shelf.ingest()
    with shelf.collection() as collection:
        collection.delete(ids=sorted(shelf.passages())[:2])
        collection.add(ids=["a stranger"], embeddings=[[1.0] * 256])
    assert shelf.vectors().keys() != shelf.passages().keys()
    shelf.ingest()
    assert shelf.vectors().keys() == shelf.passages().keys()


async def test_a_search_sees_what_another_process_ingested_since(shelf, ingest_elsewhere: Callable) -> None:
    shelf.write(TEA)
    shelf.ingest()
    with Knowledge.open(shelf.index) as knowledge:
        await knowledge.ready()
        assert not (await knowledge.search("Who repairs bicycles?", timeout=10)).relevant
        shelf.write({"bicycles.md": "# Bicycles\n\nOlga repairs bicycles.\n"})
        ingest_elsewhere(shelf.index, shelf.documents)
        found = await knowledge.search("Who repairs bicycles?", timeout=10)
        assert found.passages[0].text == "Olga repairs bicycles."
        # By its vector too, not only by its words: both indexes put it first.
        assert found.passages[0].score == pytest.approx(1.0)


async def test_searches_go_on_while_documents_come_in(shelf) -> None:
    shelf.write(TEA)
    shelf.ingest()
    shelf.write({f"{n}.md": f"# Note {n}\n\nThis is the note about number {n}.\n" for n in range(400)})
    with Knowledge.open(shelf.index) as knowledge:
        await knowledge.ready()
        work = asyncio.create_task(asyncio.to_thread(knowledge.ingest, [shelf.documents]))
        searches = 0
        while not work.done():
            found = await knowledge.search("How long to steep black tea?", timeout=10)
            assert found.passages[0].text == "Steep four minutes."
            assert not found.degraded
            searches += 1
        assert (await work).added == 400
    assert searches > 3
    assert len(shelf.vectors()) == 405


def test_progress_is_told(shelf) -> None:
    shelf.write(TEA)
    told: list[IngestProgress] = []
    with Knowledge.open(shelf.index) as knowledge:
        knowledge.ingest([shelf.documents], on_progress=told.append)
    lines = [str(progress) for progress in told]
    assert lines[:3] == ["reading 1 of 3: black.md", "reading 2 of 3: green.md", "reading 3 of 3: prices.csv"]
    # Embedding goes on beside the reading; what is left of it at the end is told as well.
    assert all(re.fullmatch(r"embedding \d of \d passages", line) for line in lines[3:])


@pytest.mark.parametrize("what", ["missing", "empty", "pictures"])
def test_a_path_with_nothing_to_read_is_one_clear_error(shelf, what: str) -> None:
    folder = shelf.documents / what
    if what != "missing":
        folder.mkdir()
    if what == "pictures":
        (folder / "lamp.png").write_bytes(b"\x89PNG")
    with Knowledge.open(shelf.index) as knowledge, pytest.raises(ConfigError, match=what) as caught:
        knowledge.ingest([folder])
    assert caught.value.fix
    assert not shelf.index.exists()


class CannotEmbed:
    """An embedder that goes by the static one's name and must not be asked."""

    name = "static"

    def embed_passages(self, texts: Sequence[str]):
        raise AssertionError("asked to embed")

    def embed_question(self, text: str):
        raise AssertionError("asked to embed")
