"""What calls have used of the limits in their policies: counted when they begin, so that calls still running count.

One row for each call and limit, written in the transaction that checks the limit, alone among all that would take of
it, so that two calls that begin at once, in whatever processes, cannot both take the last of it. A call that certainly
did not run gives back what it took; one that failed does not, since it may have had its effect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from bailiwick.database import Database, Row
from bailiwick.policy import Used

__all__ = ["Share", "UsageLedger"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bailiwick_usage (
    call TEXT NOT NULL, what TEXT NOT NULL, whose TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, amount BIGINT NOT NULL,
    PRIMARY KEY (what, whose, call)
) WITHOUT ROWID
"""
_BY_CALL = "CREATE INDEX IF NOT EXISTS bailiwick_usage_by_call ON bailiwick_usage (call)"
_UNIT = Decimal(10) ** 6
"""Amounts are kept in millionths, rounded up: both databases add whole numbers exactly."""
_MOST = 2**62


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one call takes of one limit."""

    what: str
    """What is counted: the tool, the rule, and calls or the argument that is added up."""
    whose: str
    """Whose calls count together: ``session:T``, ``user:U``, ``agent:A`` or ``all``."""
    window: float | None
    """Seconds back from now; None: for ever."""
    calls: int | None
    le: Decimal | None
    """What the amounts may come to; of the two the one that is None does not limit."""
    amount: Decimal = Decimal(0)


class UsageLedger:
    """What was used, in the ledger's database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_SCHEMA, _BY_CALL)

    async def used(self, call: str, shares: Sequence[Share]) -> list[Used]:
        """What other calls than ``call`` have used of each limit, by now."""
        now = time.time()
        return [_sum(await self._database.look(_SUM, _values(call, share, now))) for share in shares]

    async def take(self, call: str, shares: Sequence[Share]) -> int | None:
        """Take all shares for ``call``, or none and tell which limit does not hold them, counted from 0.

        A call that took its shares before has them already: what it began to use it is not counted for twice.
        """
        return await asyncio.to_thread(self._take, call, shares)

    async def give_back(self, call: str) -> None:
        """``call`` certainly did not run."""
        await asyncio.to_thread(self._database.execute, "DELETE FROM bailiwick_usage WHERE call = ?", (call,))

    def _take(self, call: str, shares: Sequence[Share]) -> int | None:
        now = time.time()
        with self._database.transaction(*(f"usage:{share.what}:{share.whose}" for share in shares)):
            for n, share in enumerate(shares):
                used = _sum(self._database.rows(_SUM, _values(call, share, now)))
                if share.calls is not None and used.calls + 1 > share.calls:
                    return n
                if share.le is not None and (_units(share.amount) > _MOST or used.sum + share.amount > share.le):
                    return n
            self._database.execute_many(
                "INSERT INTO bailiwick_usage VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(call, share.what, share.whose, now, _units(share.amount)) for share in shares],
            )
        return None


_SUM = "SELECT count(*), sum(amount) FROM bailiwick_usage WHERE what = ? AND whose = ? AND at > ? AND call <> ?"


def _values(call: str, share: Share, now: float) -> tuple[str, str, float, str]:
    return share.what, share.whose, now - share.window if share.window is not None else 0.0, call


def _sum(rows: Sequence[Row]) -> Used:
    calls, units = rows[0]
    return Used(calls=calls, sum=Decimal(units or 0) / _UNIT)


def _units(amount: Decimal) -> int:
    return int((max(amount, Decimal(0)) * _UNIT).to_integral_value(ROUND_CEILING))
