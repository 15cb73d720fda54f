"""Tickets, mail and rows of a query come in as documents, told by a mapping that names its mistakes."""

from __future__ import annotations

import json
import mailbox
import sqlite3
from contextlib import closing
from email.message import EmailMessage

import pytest

from bailiwick.errors import ConfigError
from bailiwick.retrieval import IngestReport, Knowledge

COLUMNS = """
columns:
  id: Ticket ID
  title: Subject
  text: [Description, Resolution]
  metadata: {product: Product, closed: Closed at}
  link: https://crm.example/tickets/{Ticket ID}
"""
EXPORT = """Ticket ID;Subject;Description;Resolution;Product;Closed at
T-1;Wick burns down;The wick burns down in an hour;Soak it in oil for 20 minutes first;lantern;2026-03-01
T-2;Moths;Holes in my blanket;Darned in the workshop;blanket;2026-04-12
T-3;Empty;;;lantern;2026-05-01
"""


def ingest(shelf, name: str, **options: bool) -> IngestReport:
    with Knowledge.open(shelf.index) as knowledge:
        return knowledge.ingest([shelf.documents / name], **options)


async def test_tickets_of_a_crm_come_in_by_their_columns(shelf) -> None:
    shelf.write({"crm.csv": EXPORT, "crm.source.yaml": f"kind: tickets\nfile: crm.csv\n{COLUMNS}"})
    report = ingest(shelf, "crm.source.yaml")
    assert report.added == 2
    assert [(letter.source, letter.reason) for letter in report.dead_letters] == [("crm#T-3", "there is no text in it")]
    with Knowledge.open(shelf.index) as knowledge:
        found = await knowledge.search("my wick burns away", where={"product": "lantern"}, timeout=10)
        assert [passage.link for passage in found.passages] == ["https://crm.example/tickets/T-1"]
        assert found.passages[0].citation == "crm#T-1, Wick burns down"
        late = await knowledge.search("wick or moths", where={"closed": {"from": "2026-04-01"}}, timeout=10)
        assert [passage.source for passage in late.passages] == ["crm#T-2"]


def test_a_ticket_that_changed_is_taken_in_anew_and_one_that_is_gone_goes(shelf) -> None:
    shelf.write({"crm.csv": EXPORT, "crm.source.yaml": f"kind: tickets\nfile: crm.csv\n{COLUMNS}"})
    ingest(shelf, "crm.source.yaml")
    changed = EXPORT.replace("20 minutes", "30 minutes").replace(EXPORT.splitlines()[2] + "\n", "")
    shelf.write({"crm.csv": changed})
    report = ingest(shelf, "crm.source.yaml")
    assert (report.added, report.unchanged, report.removed) == (1, 0, 2)


def test_a_folder_with_a_source_file_takes_its_export_by_the_mapping_only(shelf) -> None:
    records = [{"id": 1, "body": "A lantern went out."}, {"id": 2, "body": "A loom stood still."}]
    shelf.write(
        {
            "notes.md": "# Notes\n\nLamps burn.\n",
            "crm/open.jsonl": "\n".join(json.dumps(record) for record in records),
            "crm/open.source.yaml": "kind: tickets\nfile: '*.jsonl'\ncolumns: {id: id, text: body}\n",
        }
    )
    assert shelf.ingest().added == 3
    assert sorted(shelf.passages().values()) == ["A lantern went out.", "A loom stood still.", "Lamps burn."]


@pytest.mark.parametrize(
    ("told", "key", "says"),
    [
        ("kind: tickets\nfile: crm.csv\n", "columns", "Field required"),
        ("kind: tickets\nfile: nowhere.csv\ncolumns: {id: a, text: b}\n", "file", "there is no file nowhere.csv"),
        ("kind: tickets\nfile: crm.csv\ncolumns: {id: Ticket ID, text: Words}\n", "columns", "no column 'Words'"),
        ("kind: carrier pigeon\n", "kind", "carrier pigeon"),
        ("kind: urls\nurls: []\n", "urls", "at least 1 item"),
        ("kind: urls\nurls: [http://x/]\nfaster: true\n", "faster", "Extra inputs are not permitted"),
        ("kind: sql\ndatabase: NOWHERE\nquery: x\ncolumns: {id: a, text: b}\n", "database", "'NOWHERE' is neither"),
        ("kind: sql\ndatabase: sqlite:///no.db\nquery: x\ncolumns: {id: a, text: b}\n", "database", "no database"),
        ("kind: mbox\nfile: no.mbox\n", "file", "there is no no.mbox"),
        (": not yaml", None, "cannot be read"),
    ],
)
def test_a_source_file_that_is_wrong_is_one_clear_error(shelf, told: str, key: str | None, says: str) -> None:
    shelf.write({"crm.csv": EXPORT, "x.source.yaml": told})
    with pytest.raises(ConfigError, match=says) as caught:
        ingest(shelf, "x.source.yaml")
    assert caught.value.key == key
    assert str(caught.value.file).endswith("x.source.yaml")
    assert caught.value.fix


def test_an_export_that_breaks_off_takes_nothing_out(shelf) -> None:
    shelf.write({"crm.csv": EXPORT, "crm.source.yaml": f"kind: tickets\nfile: crm.csv\n{COLUMNS}"})
    ingest(shelf, "crm.source.yaml")
    shelf.write({"crm.csv": EXPORT.splitlines()[0] + "\nT-1;Wick;burns;soak;lantern;2026-03-01;one too many\n"})
    report = ingest(shelf, "crm.source.yaml")
    assert "row 1 has more values than columns" in report.dead_letters[0].reason
    assert (report.removed, len(shelf.passages())) == (0, 2)


async def test_mail_comes_in_by_message_with_its_plain_text_before_its_html(shelf) -> None:
    box = mailbox.mbox(shelf.documents / "desk.mbox")
    for number, (subject, plain, page) in enumerate(
        [
            ("Wicks", "Soak a new wick for twenty minutes.", "<p>Never shown.</p>"),
            ("Looms", None, "<p>The looms stand in Leipzig.</p><script>bad()</script>"),
            ("Nothing", None, None),
        ]
    ):
        message = EmailMessage()
        message["From"] = "somebody@example.com"
        message["Subject"] = subject
        message["Date"] = f"Mon, {number + 1} Jun 2026 10:00:00 +0200"
        message["Message-ID"] = f"<{number}@example.com>"
        if plain:
            message.set_content(plain)
        if page and plain:
            message.add_alternative(page, subtype="html")
        elif page:
            message.set_content(page, subtype="html")
        box.add(message)
    box.close()
    report = ingest(shelf, "desk.mbox")
    assert report.added == 2
    assert [letter.source for letter in report.dead_letters] == ["Nothing"]
    assert sorted(shelf.passages().values()) == ["Soak a new wick for twenty minutes.", "The looms stand in Leipzig."]
    with Knowledge.open(shelf.index) as knowledge:
        found = await knowledge.search("wick", where={"date": "2026-06-01"}, timeout=10)
    assert [passage.citation for passage in found.passages] == ["Wicks, Wicks"]
    assert ingest(shelf, "desk.mbox").unchanged == 2


def test_rows_of_a_query_to_sqlite_come_in_and_the_database_is_only_read(shelf) -> None:
    with closing(sqlite3.connect(shelf.documents / "shop.db")) as database, database:
        database.execute("CREATE TABLE faq (id INTEGER, question TEXT, answer TEXT)")
        database.execute("INSERT INTO faq VALUES (1, 'Oil?', 'Lamp oil only.'), (2, 'Wick?', NULL)")
    told = "kind: sql\ndatabase: sqlite:///shop.db\nquery: {}\ncolumns: {{id: id, title: question, text: answer}}\n"
    shelf.write({"shop.source.yaml": told.format("SELECT * FROM faq")})
    report = ingest(shelf, "shop.source.yaml")
    assert (report.added, [letter.source for letter in report.dead_letters]) == (1, ["shop#2"])
    shelf.write({"shop.source.yaml": told.format("DELETE FROM faq RETURNING *")})
    report = ingest(shelf, "shop.source.yaml")
    assert "readonly" in report.dead_letters[-1].reason
    assert report.removed == 0


@pytest.mark.postgresql
def test_rows_of_a_query_to_postgresql_come_in_by_an_address_from_the_environment(
    shelf, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    with psycopg.connect(postgresql) as database:
        database.execute("CREATE TABLE tickets (id INTEGER PRIMARY KEY, body TEXT, product TEXT)")
        database.execute(
            "INSERT INTO tickets SELECT n, 'Lantern ' || n || ' went out.', 'lantern' FROM"
            " generate_series(1, 1200) AS n"
        )
    monkeypatch.setenv("SHOP_DATABASE", postgresql)
    columns = "{{id: id, text: body, metadata: {{product: product}}}}"
    told = f"kind: sql\ndatabase: SHOP_DATABASE\nquery: {{}}\ncolumns: {columns}\n"
    shelf.write({"shop.source.yaml": told.format("SELECT id, body, product FROM tickets ORDER BY id")})
    assert ingest(shelf, "shop.source.yaml").added == 1200
    shelf.write({"shop.source.yaml": told.format("DELETE FROM tickets RETURNING id, body, product")})
    report = ingest(shelf, "shop.source.yaml")
    assert "the query fails" in report.dead_letters[0].reason
    with psycopg.connect(postgresql) as database:
        assert database.execute("SELECT count(*) FROM tickets").fetchone() == (1200,)
