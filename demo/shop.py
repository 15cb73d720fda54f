"""The shop's own data: orders, tickets, shipping rates and two attachments. Made once, under data/."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

SANDBOX_UID = 65534
ATTACHMENTS = Path(__file__).parent / "attachments"

CUSTOMERS = {"C-1001": "Ada", "C-1002": "Bruno", "C-1003": "Chiara", "C-1004": "Deniz"}

ORDERS = [
    # order, customer, placed on, status, carrier, tracking, items (product, quantity, euro)
    ("ORD-000117", "C-1001", "2026-11-02", "delivered", "DHL", "JD0146", [("Harbour lantern", 1, 89.00)]),
    ("ORD-000131", "C-1001", "2026-11-18", "shipped", "DHL", "JD0163", [("Beeswax candles, box of 12", 2, 24.90)]),
    ("ORD-000124", "C-1002", "2026-11-09", "delivered", "GLS", "GL7781", [("Wool blanket, grey", 1, 149.00)]),
    ("ORD-000128", "C-1003", "2026-11-14", "delivered", "DHL", "JD0158", [("Storm lantern, brass", 2, 64.50)]),
    ("ORD-000133", "C-1004", "2026-11-20", "paid", "", "", [("Reading lamp, oak", 6, 119.00)]),
]

RATES = """\
country,base,step_kg,per_step,days
Germany,3.90,1,0.80,1-2
Austria,5.90,1,1.10,2-3
France,6.90,1,1.30,2-4
Italy,6.90,1,1.30,3-5
Netherlands,5.90,1,1.00,2-3
Spain,7.90,1,1.50,3-5
Iceland,14.90,0,3.20,6-9
"""
"""Iceland's step is a slip of the pen, and nobody has noticed yet: the demo is where it comes to light."""


def make_shop(data: Path, *, anew: bool = False) -> bool:
    """Make what is missing under ``data``; give whether anything was. ``anew``: orders and tickets as on day one."""
    made = False
    for name in ("orders", "tickets") if anew else ():
        shutil.rmtree(data / name, ignore_errors=True)
    for name, make in (("orders", _orders), ("tickets", _tickets), ("shipping", _shipping), ("attachments", _files)):
        folder = data / name
        if folder.is_dir():
            continue
        half = data / f".{name}.part"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(parents=True)
        make(half)
        if name in ("orders", "tickets"):
            _let_the_sandbox_write(half)
        half.rename(folder)
        made = True
    return made


def _orders(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "orders.db")) as database, database:
        database.executescript(
            """
            CREATE TABLE orders (order_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, placed_on TEXT NOT NULL,
                status TEXT NOT NULL, carrier TEXT NOT NULL, tracking TEXT NOT NULL, total_cents INTEGER NOT NULL);
            CREATE TABLE items (order_id TEXT NOT NULL REFERENCES orders, product TEXT NOT NULL,
                quantity INTEGER NOT NULL, price_cents INTEGER NOT NULL);
            CREATE TABLE refunds (idempotency_key TEXT PRIMARY KEY, order_id TEXT NOT NULL REFERENCES orders,
                amount_cents INTEGER NOT NULL, reason TEXT NOT NULL);
            """
        )
        for order, customer, placed, status, carrier, tracking, items in ORDERS:
            lines = [(order, product, count, round(price * 100)) for product, count, price in items]
            total = sum(count * cents for _, _, count, cents in lines)
            database.execute(
                "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)",
                (order, customer, placed, status, carrier, tracking, total),
            )
            database.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", lines)


def _tickets(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "tickets.db")) as database, database:
        database.execute(
            "CREATE TABLE tickets (number INTEGER PRIMARY KEY AUTOINCREMENT, idempotency_key TEXT UNIQUE NOT NULL,"
            " subject TEXT NOT NULL, text TEXT NOT NULL, customer_id TEXT NOT NULL)"
        )


def _shipping(folder: Path) -> None:
    (folder / "rates.csv").write_text(RATES)


def _files(folder: Path) -> None:
    for file in ATTACHMENTS.iterdir():
        shutil.copy(file, folder / file.name)


def _let_the_sandbox_write(folder: Path) -> None:
    """As root, tools run as nobody, who must own what their policy lets them write; else they run as this user."""
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, SANDBOX_UID, SANDBOX_UID)
