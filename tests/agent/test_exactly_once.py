"""No effect twice and no result lost: crashes, cancelled turns, two processes at once, approvals in any order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from bailiwick import Turn
from bailiwick.errors import InputRefused, ThreadBusy
from bailiwick.ledger import CallLedger, Questions
from bailiwick.sandbox import Result

LEAD = {"user_id": "mara", "roles": ["lead"]}
YES: Any = {"type": "approve", "by": LEAD}
NO: Any = {"type": "reject", "message": "not today", "by": LEAD}
KILLED = Result(cause="killed", sandbox="scripted")


class PowerCut(BaseException):
    """Ends the run the way a killed process does: nothing after it happens."""


@pytest.fixture
def cut_power(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``cut_power("finish")``: the next time that the ledger's method of that name is reached, the power is gone.

    ``of=Questions, after=True``: of another part, and once the method has done its work.
    """

    def cut(name: str, *, of: type = CallLedger, after: bool = False) -> None:
        real = getattr(of, name)

        async def cut_once(self: Any, *args: Any, **kwargs: Any) -> Any:
            monkeypatch.setattr(of, name, real)
            if after:
                await real(self, *args, **kwargs)
            raise PowerCut

        monkeypatch.setattr(of, name, cut_once)

    return cut


def outcomes(turn: Turn) -> list[tuple[str, str]]:
    return sorted((record.args["to"], record.outcome) for record in turn.calls)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("yes", [0, 1])
async def test_two_approvals_wait_and_are_answered_in_either_order(
    open_agent: Any, bank: Any, first: int, yes: int
) -> None:
    async with open_agent() as clerk:
        turn = await clerk.ask("Pay Bob 70, Eve 80, Ann 5", thread="t")
        assert turn.outcome == "waiting"
        assert bank.made == [("Ann", 5)], "what needs nobody is not held up"
        questions = sorted(turn.questions, key=lambda question: question.args["to"])
        answers = {questions[n].id: YES if n == yes else NO for n in (0, 1)}
        turn = await clerk.resume({questions[first].id: answers[questions[first].id]}, thread="t")
        assert turn.outcome == "waiting"
        assert [question.id for question in turn.questions] == [questions[1 - first].id]
        async with open_agent() as other:  # a restart in between
            turn = await other.resume({turn.questions[0].id: answers[turn.questions[0].id]}, thread="t")
    assert turn.outcome == "answered"
    assert bank.made == [("Ann", 5), (("Bob", 70), ("Eve", 80))[yes]]
    assert "not today" in turn.text
    assert "paid to" in turn.text


async def test_two_processes_that_resume_at_once_pay_once(open_agent: Any, bank: Any) -> None:
    bank.slow = 0.3
    async with open_agent() as one, open_agent() as other:
        turn = await one.ask("Pay Bob 70", thread="t")
        answer = {turn.questions[0].id: YES}
        both = await asyncio.gather(
            one.resume(answer, thread="t"), other.resume(answer, thread="t"), return_exceptions=True
        )
        assert bank.made == [("Bob", 70)]
        (done,) = (each for each in both if isinstance(each, Turn))
        assert done.text == "70 paid to Bob"
        (late,) = (each for each in both if isinstance(each, InputRefused))
        assert "waits in the thread" in str(late)


async def test_a_late_approval_does_not_count_for_the_next_question_of_the_same_call(
    open_agent: Any, bank: Any, cut_power: Any
) -> None:
    async with open_agent() as clerk:
        (first,) = (await clerk.ask("Pay Bob 70", thread="t")).questions
        cut_power("finish")
        with pytest.raises(PowerCut):
            await clerk.resume({first.id: YES}, thread="t")
    cut_power("put", of=Questions, after=True)
    async with open_agent() as clerk:
        with pytest.raises(PowerCut):
            await clerk.recover(thread="t")
        turn = await clerk.recover(thread="t")
        assert turn is not None
        assert "never came back" in turn.questions[0].reason
        with pytest.raises(InputRefused, match="waits in the thread"):
            await clerk.resume({first.id: YES}, thread="t")
        assert (await clerk.resume({turn.questions[0].id: NO}, thread="t")).outcome == "answered"
    assert bank.made == [("Bob", 70)]


async def test_two_questions_at_once_are_answered_one_after_the_other(open_agent: Any, bank: Any) -> None:
    bank.slow = 0.2
    async with open_agent() as one, open_agent() as other:
        await asyncio.gather(one.ask("Pay Bob 20", thread="t"), other.ask("Pay Eve 30", thread="t"))
        state = await one.graph.aget_state({"configurable": {"thread_id": "t"}})
    assert [message.type for message in state.values["messages"]] == ["human", "ai", "tool", "ai"] * 2
    assert sorted(bank.made) == [("Bob", 20), ("Eve", 30)]


async def test_a_conversation_that_stays_busy_is_refused_and_nothing_of_it_is_stored(
    open_agent: Any, bank: Any
) -> None:
    bank.slow = 1.5
    async with open_agent() as one, open_agent(deadline=0.4) as other:
        running = asyncio.create_task(one.ask("Pay Bob 20", thread="t"))
        await bank.started.wait()
        with pytest.raises(ThreadBusy, match="another turn"):
            await other.ask("Pay Eve 30", thread="t")
        assert (await running).text == "20 paid to Bob"
        assert (await other.ask("How are you?", thread="u")).outcome == "answered"
    assert bank.made == [("Bob", 20)]


async def test_a_cancelled_turn_lets_its_payment_end_and_the_next_turn_knows_of_it(open_agent: Any, bank: Any) -> None:
    bank.slow = 0.3
    async with open_agent() as clerk:
        turn = asyncio.create_task(clerk.ask("Pay Bob 20", thread="t"))
        await bank.started.wait()
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        assert bank.made == [("Bob", 20)]
        await clerk.ask("What became of it?", thread="t")
        state = await clerk.graph.aget_state({"configurable": {"thread_id": "t"}})
        replies = [message for message in state.values["messages"] if message.type == "tool"]
        assert [reply.text for reply in replies] == ["20 paid to Bob"]
        assert (await clerk.ask("Pay Bob 20", thread="t")).text == "20 paid to Bob", "nothing is unsettled"
    assert bank.made == [("Bob", 20)] * 2


@pytest.mark.parametrize("point", ["begin", "finish"])
async def test_a_turn_that_died_is_finished_by_recover(open_agent: Any, bank: Any, cut_power: Any, point: str) -> None:
    async with open_agent() as clerk:
        cut_power(point)
        with pytest.raises(PowerCut):
            await clerk.ask("Pay Bob 20, Eve 30", thread="t")
    async with open_agent() as clerk:
        turn = await clerk.recover(thread="t")
        while turn is not None and turn.outcome == "waiting":
            assert all("never came back" in question.reason for question in turn.questions)
            paid = {q.id: (q.args["to"], q.args["amount"]) in bank.made for q in turn.questions}
            turn = await clerk.resume({id: NO if happened else YES for id, happened in paid.items()}, thread="t")
            assert not any(paid.values()) or "not today" in turn.text, "what the person found is told"
        assert turn is not None
        assert turn.outcome == "answered", turn.error
        assert await clerk.recover(thread="t") is None
        assert (await clerk.ask("Thanks", thread="t")).outcome == "answered"
    assert sorted(bank.made) == [("Bob", 20), ("Eve", 30)]


async def test_a_turn_that_waits_for_a_person_is_no_turn_that_died(open_agent: Any) -> None:
    async with open_agent() as clerk:
        assert await clerk.recover(thread="t") is None
        asked = await clerk.ask("Pay Bob 70", thread="t")
        again = await clerk.recover(thread="t")
        assert again is not None
        assert again.questions == asked.questions


@pytest.mark.parametrize("paid", [True, False])
async def test_a_lookup_tells_what_a_person_would_be_asked(
    open_agent: Any, bank: Any, cut_power: Any, paid: bool
) -> None:
    async with open_agent(recover="{lookup: paid}") as clerk:
        cut_power("finish")
        with pytest.raises(PowerCut):
            await clerk.ask("Pay Bob 20", thread="t")
    if not paid:
        bank.made.clear()  # it never went out
    async with open_agent(recover="{lookup: paid}") as clerk:
        turn = await clerk.recover(thread="t")
    assert turn is not None
    assert (turn.outcome, turn.text) == ("answered", "20 paid to Bob")
    assert bank.made == [("Bob", 20)]


async def test_a_lookup_that_does_not_know_leaves_it_to_a_person(open_agent: Any, bank: Any, cut_power: Any) -> None:
    bank.knows = False
    async with open_agent(recover="{lookup: paid}") as clerk:
        cut_power("finish")
        with pytest.raises(PowerCut):
            await clerk.ask("Pay Bob 20", thread="t")
    async with open_agent(recover="{lookup: paid}") as clerk:
        turn = await clerk.recover(thread="t")
        assert turn is not None
        assert turn.outcome == "waiting"
    assert bank.made == [("Bob", 20)]


@pytest.mark.parametrize("paid", [True, False])
async def test_a_payment_that_was_stopped_is_looked_up_at_once(open_agent: Any, bank: Any, paid: bool) -> None:
    if paid:
        bank.made.append(("Bob", 20))
    async with open_agent(recover="{lookup: paid}", pay=KILLED) as clerk:
        turn = await clerk.ask("Pay Bob 20", thread="t")
    assert turn.text == (
        "20 paid to Bob"
        if paid
        else "pay was stopped before it had its effect: nothing was done. It may be tried again."
    )
    assert outcomes(turn) == [("Bob", "ok" if paid else "error")]


async def test_after_a_payment_that_was_stopped_the_next_one_is_asked_about(open_agent: Any, bank: Any) -> None:
    async with open_agent(pay=KILLED) as clerk:
        turn = await clerk.ask("Pay Bob 20", thread="t")
        assert "is not known" in turn.text
    async with open_agent() as clerk:
        turn = await clerk.ask("Pay Bob 20", thread="t")
        assert turn.outcome == "waiting"
        assert "Look first" in turn.questions[0].reason
        turn = await clerk.resume({turn.questions[0].id: YES}, thread="t")
        assert turn.text == "20 paid to Bob"
        assert (await clerk.ask("Pay Bob 20", thread="t")).text == "20 paid to Bob", "asked once"
    assert len(bank.made) == 2


async def test_a_lookup_must_be_a_tool_that_only_looks(open_agent: Any) -> None:
    async with AsyncExitStack() as stack:
        for wrong, why in (("nobody", "there is no tool"), ("pay", "is no read tool")):
            with pytest.raises(Exception, match=why) as caught:
                await stack.enter_async_context(open_agent(recover=f"{{lookup: {wrong}}}"))
            assert "recover.lookup" in str(caught.value)
            assert "pay.yaml:5" in str(caught.value)
