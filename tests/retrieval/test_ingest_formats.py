"""Each kind of document comes in as its readers see it, and is cited by the place in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bailiwick.retrieval import Knowledge, Passage

MANUAL = Path(__file__).resolve().parents[2] / "knowledge/harbour-lantern-manual.pdf"


async def best(knowledge: Knowledge, question: str) -> Passage:
    found = await knowledge.search(question, timeout=10)
    assert found.relevant
    assert found.mode == "hybrid"
    return found.passages[0]


async def test_markdown_is_cited_by_its_headings(desk: Knowledge) -> None:
    passage = await best(desk, "How long do I have to return a lantern that I do not like?")
    assert passage.citation == "returns.md, How long you have"
    assert passage.heading == "Returns and refunds › How long you have"
    assert "within 30 days" in passage.text


async def test_pdf_is_cited_by_its_page(desk: Knowledge) -> None:
    passage = await best(desk, "How many millilitres of lamp oil go into the tank of the Harbour lantern?")
    assert passage.citation == "harbour-lantern-manual.pdf, page 2"
    assert passage.page == 2
    # Lines of the page are put together again: no sentence ends where a line did.
    assert "no more than 280 millilitres of lamp oil, which is three quarters of it." in passage.text


async def test_csv_is_cited_by_its_row_and_told_with_its_columns(desk: Knowledge) -> None:
    passage = await best(desk, "What is the price of the linen throw?")
    assert passage.citation == "products.csv, row 8"
    assert passage.text.startswith("product: Linen throw, natural; price in euro: 79.00; weight in kg: 0.8")


async def test_html_is_what_its_readers_see(desk: Knowledge) -> None:
    passage = await best(desk, "At what temperature may I wash a wool blanket?")
    assert passage.citation == "care.html, Wool blankets"
    assert "<" not in passage.text
    for marker in ("script-text-marker", "navigation-text-marker", "footer-text-marker", "hidden-text-marker"):
        found = await desk.search(marker.replace("-", " "), k=50, timeout=10)
        assert not any("marker" in passage.text for passage in found.passages), marker


async def test_a_passage_says_where_it_stands(shelf) -> None:
    text = "# Tea\n\nIntro.\n\n## Green\n\nSteep for two minutes,\nat most.\n\n## Black\n\nSteep for four.\n"
    shelf.write({"tea.md": text})
    shelf.ingest()
    with Knowledge.open(shelf.index) as knowledge:
        await knowledge.ready()
        passage = await best(knowledge, "How long to steep green tea?")
    assert passage.text == "Steep for two minutes, at most."
    assert text[passage.start : passage.end].replace("\n", " ") == passage.text
    assert passage.as_dict()["citation"] == "tea.md, Green"


async def test_a_heading_in_a_code_block_is_no_heading(shelf) -> None:
    shelf.write({"code.md": "# Build\n\n```sh\n# install the loom\nmake loom\n```\n\nThen weave.\n"})
    shelf.ingest()
    (text,) = shelf.passages().values()
    assert "# install the loom\nmake loom" in text


async def test_a_long_section_is_cut_into_overlapping_passages(shelf) -> None:
    sentences = [f"Number {n} of the long list is a sentence about looms and lanterns." for n in range(60)]
    shelf.write({"long.txt": " ".join(sentences)})
    shelf.ingest()
    texts = list(shelf.passages().values())
    assert len(texts) > 3
    assert all(len(text) <= 1000 for text in texts)
    assert all(any(sentence in text for text in texts) for sentence in sentences)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("broken.pdf", b"%PDF-1.7\nthis is not one", "broken PDF"),
        ("cut.pdf", MANUAL.read_bytes()[:900], "broken PDF"),
        ("empty.md", b"", "no text"),
        ("blank.txt", b" \n\n ", "no text"),
        ("latin.md", "Grüße aus Köln".encode("latin-1"), "not UTF-8"),
        ("binary.txt", b"a\x00b", "binary"),
        ("wide.csv", b"a,b\n1,2,3\n", "row 1 has 3 values for 2 columns"),
        ("unnamed.csv", b"a,,c\n1,2,3\n", "no name"),
        ("deep.html", b"<div>" * 50_000 + b"deep", ""),
        ("only-script.html", b"<html><script>let everything = 1</script></html>", "no text"),
    ],
)
async def test_a_broken_document_is_a_dead_letter_and_the_others_come_in(
    shelf, name: str, content: bytes, says: str
) -> None:
    shelf.write({"a-good.md": "Lanterns are lit at dusk.", name: content, "z-good.md": "Looms stand still at night."})
    report = shelf.ingest()
    assert report.added == 2
    (letter,) = report.dead_letters
    assert letter.source == name
    assert says in letter.reason
