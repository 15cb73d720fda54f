"""One writer at a time; and one that is killed at any moment costs nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from bailiwick.errors import KnowledgeBusy
from bailiwick.retrieval import Knowledge

CORPUS = {
    f"{part}/{n:03}.md": f"# Note {part}{n}\n\nLantern {n} hangs in hall {part}, {n * 7 % 13} steps from the door.\n"
    for part in "abcdef"
    for n in range(100)
}


def test_a_second_writer_is_refused(shelf, ingesting: Callable) -> None:
    shelf.write(CORPUS)
    other = ingesting(shelf.index, shelf.documents)
    assert other.stdout.readline().startswith("reading")
    with Knowledge.open(shelf.index) as knowledge, pytest.raises(KnowledgeBusy, match="somebody else") as caught:
        knowledge.ingest([shelf.documents])
    assert caught.value.fix
    other.stdout.read()
    assert other.wait(60) == 0
    assert len(shelf.vectors()) == len(CORPUS)


@pytest.mark.parametrize("moments", [["reading 300"], ["reading 600"], ["reading 500", "reading 600"]], ids=str)
def test_an_ingestion_that_was_killed_is_gone_on_with(
    shelf, undisturbed, ingesting: Callable, moments: list[str]
) -> None:
    shelf.write(CORPUS)
    for moment in moments:
        child = ingesting(shelf.index, shelf.documents)
        assert any(line.startswith(moment) for line in child.stdout)
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    report = shelf.ingest()
    assert report.added + report.unchanged == len(CORPUS)
    assert shelf.passages() == undisturbed.passages()
    assert shelf.vectors() == undisturbed.vectors()


@pytest.mark.parametrize("moment", ["reading 500", "reading 600"])
def test_an_edit_that_was_killed_loses_neither_old_nor_new(shelf, ingesting: Callable, moment: str) -> None:
    shelf.write(CORPUS)
    shelf.ingest()
    edited = {name: text.replace("hangs in", "was taken from") for name, text in CORPUS.items()}
    shelf.write(edited)
    child = ingesting(shelf.index, shelf.documents)
    assert any(line.startswith(moment) for line in child.stdout)
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    shelf.ingest()
    assert sorted(shelf.passages().values()) == sorted(text.split("\n\n")[1].strip() for text in edited.values())
    assert shelf.vectors().keys() == shelf.passages().keys()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, shelf_class):
    shelf = shelf_class(tmp_path_factory.mktemp("undisturbed"))
    shelf.write(CORPUS)
    shelf.ingest()
    return shelf
