"""What is left of a limit is taken once, by whoever is first: in threads, in processes, and after a restart."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from bailiwick.database import open_database
from bailiwick.ledger import Share, UsageLedger


@pytest.fixture
def ledger(kept_in: str) -> Iterator[UsageLedger]:
    with closing(open_database(kept_in)) as database:
        yield UsageLedger(database)


def share(**given: Any) -> Share:
    return Share(**{"what": "t/r/calls", "whose": "all", "window": None, "calls": None, "le": None, **given})


def take_some(file: str, name: str, tries: int, queue: Any) -> None:
    ledger = UsageLedger(open_database(file))
    taken = sum(
        asyncio.run(ledger.take(f"{name}-{n}", [share(what="t/r/sum:x", le=Decimal(30), amount=Decimal("0.3"))]))
        is None
        for n in range(tries)
    )
    queue.put(taken)


def test_processes_together_take_no_more_than_there_is(kept_in: str) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    started = [context.Process(target=take_some, args=(kept_in, f"p{n}", 60, queue)) for n in range(3)]
    for process in started:
        process.start()
    taken = [queue.get(timeout=120) for _ in started]
    for process in started:
        process.join()
    assert sum(taken) == 100, "thirty, in parts of three tenths, to the last one and no further"


async def test_calls_that_begin_at_once_do_not_share_the_last_one(ledger: UsageLedger) -> None:
    found = await asyncio.gather(*(ledger.take(f"c{n}", [share(calls=5)]) for n in range(20)))
    assert found.count(None) == 5
    assert set(found) == {None, 0}


async def test_a_call_that_did_not_run_gives_back_and_one_that_began_again_counts_once(ledger: UsageLedger) -> None:
    one = [share(calls=1)]
    assert await ledger.take("a", one) is None
    assert await ledger.take("a", one) is None, "the same call, after a crash"
    assert await ledger.take("b", one) == 0
    await ledger.give_back("a")
    assert await ledger.take("b", one) is None
    assert (await ledger.used("c", one))[0].calls == 1
    assert (await ledger.used("b", one))[0].calls == 0, "its own part does not stand in its way"


async def test_what_does_not_hold_is_named_and_then_nothing_is_taken(ledger: UsageLedger) -> None:
    shares = [share(calls=5), share(what="t/r/sum:x", le=Decimal(10), amount=Decimal(11))]
    assert await ledger.take("a", shares) == 1
    assert (await ledger.used("b", shares))[0].calls == 0


async def test_below_zero_gives_nothing_back_and_fractions_are_exact(ledger: UsageLedger) -> None:

    def part(amount: str) -> list[Share]:
        return [share(what="t/r/sum:x", le=Decimal(1), amount=Decimal(amount))]

    for n in range(10):
        assert await ledger.take(f"c{n}", part("0.1")) is None
    assert await ledger.take("minus", part("-5")) is None
    assert await ledger.take("more", part("0.000001")) == 0


async def test_users_windows_and_rules_are_counted_apart(kept_in: str, ledger: UsageLedger) -> None:
    assert await ledger.take("a", [share(whose="user:1", calls=1)]) is None
    assert await ledger.take("b", [share(whose="user:2", calls=1)]) is None
    assert await ledger.take("c", [share(whose="user:1", what="t/other/calls", calls=1)]) is None
    with closing(open_database(kept_in)) as database:
        database.execute("UPDATE bailiwick_usage SET at = at - 7200")
        again = UsageLedger(database)
        assert await again.take("d", [share(whose="user:1", calls=1)]) == 0, "for ever, and after a restart"
        assert await again.take("d", [share(whose="user:1", calls=1, window=3600.0)]) is None


@pytest.mark.parametrize("amount", ["1e30", "9" * 50])
async def test_an_amount_that_nobody_could_count_is_too_much(amount: str, ledger: UsageLedger) -> None:
    huge = [share(what="t/r/sum:x", le=Decimal("1e60"), amount=Decimal(amount))]
    assert await ledger.take("a", huge) == 0
