"""One deadline for a turn, wherever its steps run."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from bailiwick.errors import DeadlineExceeded
from bailiwick.resilience import deadline, require, run_sync, seconds_left


def test_without_a_deadline_a_step_has_its_own_limit() -> None:
    assert seconds_left(7) == 7
    require("anything")
    with deadline(None):
        assert seconds_left(7) == 7


def test_a_step_has_what_is_left_and_never_more_than_its_own_limit() -> None:
    with deadline(10):
        assert 9 < seconds_left(60) <= 10
        assert seconds_left(5) == 5
    assert seconds_left(60) == 60


def test_an_outer_deadline_stays_in_force() -> None:
    with deadline(1):
        with deadline(60):
            assert seconds_left(60) <= 1
        with deadline(0.5):
            assert seconds_left(60) <= 0.5
        with deadline(None):
            assert seconds_left(60) <= 1
        assert 0.5 < seconds_left(60) <= 1


def test_time_that_is_used_up_is_said_with_the_step() -> None:
    with deadline(0.01):
        time.sleep(0.02)
        assert seconds_left(60) == 0
        with pytest.raises(DeadlineExceeded, match="no time is left for the search"):
            require("the search")
    with deadline(-5):
        assert seconds_left(60) == 0


async def test_tasks_and_threads_know_it() -> None:
    async def inside() -> float:
        return seconds_left(60)

    with deadline(2):
        assert await asyncio.create_task(inside()) <= 2
        assert await asyncio.to_thread(seconds_left, 60) <= 2
        assert run_sync(inside()) <= 2
    assert seconds_left(60) == 60


async def test_two_turns_at_once_have_each_their_own() -> None:
    async def turn(seconds: float) -> float:
        with deadline(seconds):
            await asyncio.sleep(0.01)
            return seconds_left(100)

    short, long = await asyncio.gather(turn(1), turn(50))
    assert short <= 1
    assert 49 < long <= 50


async def test_the_sync_door_works_inside_a_running_loop_and_raises_what_was_raised() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    async def fails() -> None:
        raise LookupError("as it was")

    assert run_sync(work()) == "bailiwick-sync-door"
    with pytest.raises(LookupError, match="as it was"):
        run_sync(fails())
