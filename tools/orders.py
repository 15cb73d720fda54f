"""Orders and refunds. Runs inside the sandbox: standard library only."""

import sqlite3
from contextlib import closing
from decimal import Decimal

from bailiwick import idempotency_key, tool

ORDERS = "/work/data/orders/orders.db"


@tool
def lookup_order(order_id: str, customer_id: str) -> dict:
    """Find one order of the customer: its items, total, status and what was refunded already.

    Args:
        order_id: The order's number, such as ORD-000123.
        customer_id: The customer who is speaking.
    """
    with closing(_open("ro")) as orders:
        row = orders.execute(
            "SELECT order_id, placed_on, status, total_cents, carrier, tracking FROM orders"
            " WHERE order_id = ? AND customer_id = ?",
            (order_id, customer_id),
        ).fetchone()
        if row is None:
            raise LookupError(f"customer {customer_id} has no order {order_id}")
        items = orders.execute(
            "SELECT product, quantity, price_cents FROM items WHERE order_id = ?", (order_id,)
        ).fetchall()
        refunded = orders.execute(
            "SELECT coalesce(sum(amount_cents), 0) FROM refunds WHERE order_id = ?", (order_id,)
        ).fetchone()[0]
    return {
        "order_id": row[0],
        "placed_on": row[1],
        "status": row[2],
        "total": row[3] / 100,
        "refunded": refunded / 100,
        "carrier": row[4],
        "tracking": row[5],
        "items": [{"product": name, "quantity": count, "price": cents / 100} for name, count, cents in items],
    }


@tool
def find_orders(customer_id: str) -> list:
    """List the orders of one customer, newest first."""
    with closing(_open("ro")) as orders:
        rows = orders.execute(
            "SELECT order_id, placed_on, status, total_cents FROM orders WHERE customer_id = ?"
            " ORDER BY placed_on DESC LIMIT 20",
            (customer_id,),
        ).fetchall()
    return [{"order_id": a, "placed_on": b, "status": c, "total": d / 100} for a, b, c, d in rows]


@tool
def refund_order(order_id: str, amount: Decimal, reason: str) -> dict:
    """Pay back part or all of an order that was looked up before.

    Args:
        order_id: The order's number, such as ORD-000123.
        amount: Euro to pay back.
        reason: Why, in the customer's words.
    """
    cents = int((amount * 100).to_integral_value())
    with closing(_open("rw")) as orders:
        orders.execute("BEGIN IMMEDIATE")
        # The key makes the refund exactly one, however often a crash makes this run again.
        known = orders.execute(
            "SELECT amount_cents FROM refunds WHERE idempotency_key = ?", (idempotency_key(),)
        ).fetchone()
        if known is None:
            total = orders.execute("SELECT total_cents FROM orders WHERE order_id = ?", (order_id,)).fetchone()
            if total is None:
                raise LookupError(f"there is no order {order_id}")
            paid = orders.execute(
                "SELECT coalesce(sum(amount_cents), 0) FROM refunds WHERE order_id = ?", (order_id,)
            ).fetchone()[0]
            if paid + cents > total[0]:
                raise ValueError(f"only {(total[0] - paid) / 100:.2f} euro of {order_id} are left to refund")
            orders.execute(
                "INSERT INTO refunds (idempotency_key, order_id, amount_cents, reason) VALUES (?, ?, ?, ?)",
                (idempotency_key(), order_id, cents, reason[:500]),
            )
        orders.execute("COMMIT")
    return {"order_id": order_id, "refunded": cents / 100}


def _open(mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{ORDERS}?mode={mode}", uri=True, isolation_level=None, timeout=3)
