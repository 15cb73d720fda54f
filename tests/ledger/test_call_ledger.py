"""Which calls ran: one row a call, also when the process dies between two of its lines."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from bailiwick.database import open_database
from bailiwick.ledger import Begun, CallLedger, Finished, LeftOpen, Questions


@pytest.fixture
def ledger(kept_in: str) -> Iterator[CallLedger]:
    with closing(open_database(kept_in)) as database:
        yield CallLedger(database)


async def begin(ledger: CallLedger, call_id: str = "m/1", thread: str = "t", tool: str = "refund", **args: Any) -> Any:
    return await ledger.begin(thread=thread, call_id=call_id, tool=tool, args=args)


async def test_a_call_is_begun_once_and_then_left_open_until_it_is_finished(ledger: CallLedger) -> None:
    assert await begin(ledger) == Begun(key="t:m/1")
    again = await begin(ledger)
    assert isinstance(again, LeftOpen)
    await ledger.finish("t:m/1", {"text": "ünï"}, ok=True, untrusted=False)
    assert await begin(ledger) == Finished(key="t:m/1", result={"text": "ünï"})


async def test_looking_writes_nothing(ledger: CallLedger) -> None:
    assert await ledger.look(thread="t", call_id="m/1") is None
    assert isinstance(await begin(ledger), Begun)
    assert isinstance(await ledger.look(thread="t", call_id="m/1"), LeftOpen)


async def test_the_first_result_stays(ledger: CallLedger) -> None:
    await begin(ledger)
    await ledger.finish("t:m/1", {"n": 1}, ok=True, untrusted=False)
    await ledger.finish("t:m/1", {"n": 2}, ok=False, untrusted=True)
    assert await begin(ledger) == Finished(key="t:m/1", result={"n": 1})


async def test_a_call_that_is_reopened_keeps_its_key_and_begins_anew(ledger: CallLedger) -> None:
    await begin(ledger)
    first = await begin(ledger)
    assert isinstance(first, LeftOpen)
    assert await ledger.reopen(first.key) == Begun(key="t:m/1")
    second = await begin(ledger)
    assert isinstance(second, LeftOpen)
    assert second.begun_at >= first.begun_at


async def test_threads_and_calls_are_told_apart(ledger: CallLedger) -> None:
    found = [await begin(ledger, call_id, thread) for thread in ("a", "b") for call_id in ("m/1", "m/2")]
    assert all(isinstance(each, Begun) for each in found)


async def test_what_happened_is_what_came_back_in_this_thread_and_not_beside(ledger: CallLedger) -> None:
    for call_id, thread, tool, ok, untrusted in [
        ("m1/1", "t", "lookup", True, False),
        ("m2/1", "t", "page", True, True),
        ("m2/2", "t", "lookup", False, False),
        ("m1/1", "other", "lookup", True, False),
    ]:
        await begin(ledger, call_id, thread, tool, order="O-1")
        await ledger.finish(f"{thread}:{call_id}", {}, ok=ok, untrusted=untrusted)
    await begin(ledger, "m3/1", "t", "refund")
    happened = await ledger.happened("t")
    assert [(each.tool, each.args, each.ok, each.untrusted) for each in happened] == [
        ("lookup", {"order": "O-1"}, True, False),
        ("page", {"order": "O-1"}, True, True),
        ("lookup", {"order": "O-1"}, False, False),
    ]
    assert [each.tool for each in await ledger.happened("t", beside="m2/")] == ["lookup"]
    assert await ledger.happened("nothing") == []


async def test_many_at_once_in_two_ledgers_get_one_begun(kept_in: str, ledger: CallLedger) -> None:
    with closing(open_database(kept_in)) as database:
        second = CallLedger(database)
        found = await asyncio.gather(*(begin(each) for each in (ledger, second) for _ in range(20)))
    assert sum(isinstance(each, Begun) for each in found) == 1
    assert sum(isinstance(each, LeftOpen) for each in found) == 39


PROCESS = """
import asyncio, sys, time
from bailiwick.database import open_database
from bailiwick.database import open_database
from bailiwick.ledger import CallLedger

async def main():
    ledger = CallLedger(open_database(sys.argv[1]))
    entry = await ledger.begin(thread="t", call_id="m/1", tool="refund", args={})
    print(type(entry).__name__, flush=True)
    if sys.argv[2] == "die":
        time.sleep(60)

asyncio.run(main())
"""


async def test_a_process_that_is_killed_leaves_its_call_open(kept_in: str, ledger: CallLedger) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROCESS, kept_in, "die"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "Begun\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert isinstance(await begin(ledger), LeftOpen)


def test_processes_that_begin_the_same_call_get_one_begun_between_them(kept_in: str) -> None:
    command = [sys.executable, "-c", PROCESS, kept_in, "go"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert said == ["Begun", "LeftOpen", "LeftOpen", "LeftOpen"]


async def test_a_call_of_unknown_outcome_stays_unsettled_until_a_person_has_looked(ledger: CallLedger) -> None:
    await begin(ledger)
    await ledger.finish("t:m/1", {"text": "stopped"}, ok=None, untrusted=False)
    assert isinstance(await begin(ledger), Finished)
    lost = await ledger.unsettled("t", "refund")
    assert lost is not None
    assert [each.ok for each in await ledger.happened("t")] == [False]
    await ledger.settle(lost.key)
    assert await ledger.unsettled("t", "refund") is None


async def test_ids_that_models_made_up_are_no_trouble(ledger: CallLedger) -> None:
    odd = "m/\x00'\u2028\N{PILE OF POO}%s?"
    assert isinstance(await begin(ledger, odd, text="\x00\ud800"), Begun)
    assert isinstance(await begin(ledger, odd), LeftOpen)


async def test_a_question_is_known_once_it_was_put(kept_in: str) -> None:
    with closing(open_database(kept_in)) as database:
        questions = Questions(database)
        assert await questions.find("q") is None
        await questions.put("q")
        first = await questions.find("q")
        assert first is not None
        assert first.passed_over == 0
        await questions.put("q", passed_over=2)
        second = await questions.find("q")
        assert second is not None
        assert (second.passed_over, second.at >= first.at) == (2, True)
        given = await questions.answer("q", decision="approve", who="mara", message="")
        assert await questions.answer("q", decision="reject", who="eve", message="no") == given
        await questions.vouch("q", thread="t", tool="pay", rule="r", values={"to": ["A", "B"]}, seconds=60)
        await questions.vouch("old", thread="t", tool="pay", rule="r", values={"to": ["C"]}, seconds=-1)
        assert await questions.vouched(thread="t", tool="pay") == {("r", "to"): ["A", "B"]}
    with closing(open_database(kept_in)) as database:
        assert await Questions(database).find("q") == second
