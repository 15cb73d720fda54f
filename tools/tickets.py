"""Handing a case to people. Runs inside the sandbox: standard library only."""

import sqlite3
from contextlib import closing

from bailiwick import idempotency_key, tool

TICKETS = "/work/data/tickets/tickets.db"


@tool
def open_ticket(subject: str, text: str, customer_id: str) -> dict:
    """Hand a case to the people behind the desk; they write to the customer.

    Args:
        subject: What it is about, in a few words.
        text: What they need to know.
        customer_id: The customer who is speaking.
    """
    with closing(sqlite3.connect(TICKETS, isolation_level=None, timeout=3)) as tickets:
        tickets.execute(
            "INSERT OR IGNORE INTO tickets (idempotency_key, subject, text, customer_id) VALUES (?, ?, ?, ?)",
            (idempotency_key(), subject[:200], text[:4000], customer_id),
        )
        number = tickets.execute(
            "SELECT number FROM tickets WHERE idempotency_key = ?", (idempotency_key(),)
        ).fetchone()[0]
    return {"ticket": f"T-{number:05d}"}
