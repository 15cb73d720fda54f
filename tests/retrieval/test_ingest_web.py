"""Pages and sitemaps of a web site come in, politely and only where they changed."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator

import pytest

from bailiwick.errors import ConfigError
from bailiwick.retrieval import Knowledge
from tests.retrieval.local_site import Site, local_site


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as site:
        site.put("/tea/black", "<h1>Black tea</h1><p>Steep four minutes.</p><script>bad()</script>")
        site.put("/tea/green", "<h1>Green tea</h1><p>Steep two minutes.</p>")
        site.put("/notes.md", "# Notes\n\nWater at eighty degrees.\n", "text/plain")
        site.sitemap("/sitemap.xml", "/tea/black", "/tea/green", "/notes.md")
        yield site


def ingest(shelf, *given: str, **options: bool):
    with Knowledge.open(shelf.index) as knowledge:
        return knowledge.ingest(list(given), **options)


async def test_a_sitemap_comes_in_and_a_page_is_cited_and_opened_at_its_words(shelf, site: Site) -> None:
    report = ingest(shelf, f"{site.address}/sitemap.xml")
    assert (report.added, report.dead_letters) == (3, ())
    with Knowledge.open(shelf.index) as knowledge:
        found = await knowledge.search("How long to steep black tea?", timeout=10)
    best = found.passages[0]
    assert best.text == "Steep four minutes."
    assert best.citation == f"{site.address.removeprefix('http://')}/tea/black, Black tea"
    assert best.link == f"{site.address}/tea/black#:~:text=Steep%20four%20minutes."


def test_what_has_not_changed_is_not_sent_again(shelf, site: Site) -> None:
    ingest(shelf, f"{site.address}/sitemap.xml")
    site.put("/tea/green", "<h1>Green tea</h1><p>Steep three minutes.</p>")
    site.asked.clear()
    report = ingest(shelf, f"{site.address}/sitemap.xml")
    assert (report.added, report.unchanged, report.removed) == (1, 2, 1)
    assert site.asked == [("/sitemap.xml", 200), ("/tea/black", 304), ("/tea/green", 200), ("/notes.md", 304)]


def test_a_page_that_left_the_sitemap_goes_and_pages_given_by_themselves_stay(shelf, site: Site) -> None:
    site.put("/alone", "<p>A page by itself.</p>")
    ingest(shelf, f"{site.address}/alone", f"{site.address}/sitemap.xml")
    site.sitemap("/sitemap.xml", "/tea/black", "/tea/green")
    report = ingest(shelf, f"{site.address}/sitemap.xml")
    assert (report.added, report.unchanged, report.removed) == (0, 2, 1)
    assert "A page by itself." in shelf.passages().values()


def test_an_index_of_sitemaps_and_a_packed_one(shelf, site: Site) -> None:
    listed = "".join(f"<sitemap><loc>{site.address}/{name}</loc></sitemap>" for name in ("one.xml", "two.xml.gz"))
    site.put("/all.xml", f"<sitemapindex>{listed}</sitemapindex>", "text/xml")
    site.sitemap("/one.xml", "/tea/black")
    site.sitemap("/packed", "/tea/green", "http://elsewhere.example/page")
    site.put("/two.xml.gz", gzip.compress(site.pages["/packed"][1]), "application/gzip")
    report = ingest(shelf, f"{site.address}/all.xml")
    assert report.added == 2
    assert report.skipped == ("http://elsewhere.example/page",)


def test_a_server_that_is_busy_is_asked_again_when_it_says(shelf, site: Site) -> None:
    site.answers["/tea/black"] = [(429, {"retry-after": "1"}), (503, {})]
    began = time.monotonic()
    report = ingest(shelf, f"{site.address}/tea/black")
    assert time.monotonic() - began > 1
    assert (report.added, report.dead_letters) == (1, ())
    assert [status for _, status in site.asked] == [429, 503, 200]


def test_pages_that_cannot_be_had_are_dead_letters_and_the_others_come_in(shelf, site: Site) -> None:
    site.put("/picture", b"\x89PNG", "image/png")
    site.put("/huge", b"x" * (33 * 2**20), "text/plain")
    site.sitemap("/sitemap.xml", "/tea/black", "/gone", "/picture", "/huge")
    report = ingest(shelf, f"{site.address}/sitemap.xml")
    assert report.added == 1
    host = site.address.removeprefix("http://")
    assert {letter.source: letter.reason for letter in report.dead_letters} == {
        f"{host}/gone": "the server answers 404 Not Found",
        f"{host}/picture": "there is no parser for image/png",
        f"{host}/huge": "it is larger than 32 MiB (leave it out)",
    }
    site.put("/gone", "<p>Here again.</p>")
    site.asked.clear()
    retried = ingest(shelf, f"{site.address}/sitemap.xml", retry_failed=True)
    assert retried.added == 1
    assert ("/tea/black", 200) not in site.asked
    assert ("/tea/black", 304) not in site.asked


def test_a_sitemap_that_breaks_off_takes_nothing_out(shelf, site: Site) -> None:
    ingest(shelf, f"{site.address}/sitemap.xml")
    site.put("/sitemap.xml", "<urlset><url><loc>", "text/xml")
    report = ingest(shelf, f"{site.address}/sitemap.xml")
    assert "no XML" in report.dead_letters[0].reason
    assert report.removed == 0
    assert len(shelf.passages()) == 3


def test_a_host_is_not_asked_faster_than_it_should_be(shelf, site: Site) -> None:
    for number in range(5):
        site.put(f"/{number}", f"<p>Page {number}.</p>")
    urls = "".join(f"\n  - {site.address}/{number}" for number in range(5))
    shelf.write({"site.source.yaml": f"kind: urls\nper_second: 5\nurls:{urls}\n"})
    began = time.monotonic()
    report = ingest(shelf, str(shelf.documents / "site.source.yaml"))
    assert report.added == 5
    assert time.monotonic() - began >= 4 / 5


def test_an_address_that_is_none_is_one_clear_error(shelf) -> None:
    with pytest.raises(ConfigError, match="ftp://x/y") as caught:
        ingest(shelf, "ftp://x/y")
    assert caught.value.fix
