"""How often and how much: limits of a policy, over conversations, users, restarts and calls that are still running."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bailiwick import Toolbox
from bailiwick.gate import Call
from bailiwick.testing import ScriptedSandbox
from bailiwick.toolbox import CallRecord, CallSite, record_of

POLICY = """
version: 1
tool: pay
effect: write
recover: idempotent
on_untrusted: allow
rules:
  - id: small
    decision: allow
    agents: [any]
    args: {{amount: {{type: decimal, gt: 0, le: 50}}}}
    limits: {limits}
    reason: small
"""


class Bank:
    def __init__(self) -> None:
        self.paid: list[float] = []
        self.fails = ""

    def pay(self, amount: float) -> str:
        """Pay."""
        if self.fails:
            raise ValueError(self.fails)
        self.paid.append(amount)
        return "paid"


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def opened(tmp_path: Path, bank: Bank) -> Any:
    toolboxes: list[Toolbox] = []

    def open_(limits: str, *, ledger: bool = True) -> Toolbox:
        for folder in ("tools", "policies"):
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / "tools/bank.py").write_text("# scripted\n")
        (tmp_path / "policies/pay.yaml").write_text(POLICY.format(limits=limits))
        toolbox = Toolbox.open(
            tmp_path / "tools",
            policies=tmp_path / "policies",
            sandbox=ScriptedSandbox({"pay": bank.pay}),
            ledger=tmp_path / "state.db" if ledger else None,
        )
        toolboxes.append(toolbox)
        return toolbox

    yield open_
    for toolbox in toolboxes:
        toolbox.close()


async def pay(
    toolbox: Toolbox, amount: float, *, n: int = 1, thread: str = "t", user: str | None = "U-1", agent: str = "a"
) -> CallRecord:
    session = {} if user is None else {"user_id": user}
    site = CallSite(agent=agent, thread=thread, session=session, resumable=True)
    record = record_of(await toolbox.call(Call(id=f"c{n}", tool="pay", agent=agent, args={"amount": amount}), site))
    assert record is not None
    return record


async def test_calls_of_a_conversation(opened: Any, bank: Bank) -> None:
    toolbox = opened("[{per: session, calls: 2}]")
    found = [await pay(toolbox, 5, n=n) for n in range(3)]
    assert [each.outcome for each in found] == ["ok", "ok", "denied"]
    assert (found[2].rule, found[2].key) == ("small", "limits.0")
    assert "2 of 2 calls per session are used up" in found[2].reason
    assert found[2].where.endswith("pay.yaml:12")
    assert "limit" not in found[2].customer
    assert (await pay(toolbox, 5, n=9, thread="another")).ok
    assert bank.paid == [5, 5, 5]


async def test_sums_of_a_user_over_all_conversations_and_after_a_restart(opened: Any) -> None:
    limits = "[{per: user, window: 1d, sum: amount, le: 100}]"
    toolbox = opened(limits)
    assert [(await pay(toolbox, 40, n=n, thread=f"t{n}")).ok for n in range(3)] == [True, True, False]
    toolbox.close()
    again = opened(limits)
    refused = await pay(again, 40, n=7)
    assert "amount would come to 80 and 40 per user within 86400s, which is more than 100" in refused.reason
    assert (await pay(again, 20, n=8)).ok, "what is left may still be used"
    assert (await pay(again, 40, n=9, user="U-2")).ok


async def test_nobodys_calls_cannot_be_counted(opened: Any) -> None:
    refused = await pay(opened("[{per: user, calls: 5}]"), 5, user=None)
    assert (refused.outcome, refused.key) == ("denied", "limits.0")
    assert "$session.user_id is not set" in refused.reason


async def test_agents_are_counted_apart_and_all_together(opened: Any) -> None:
    toolbox = opened("[{per: agent, calls: 1}, {per: all, calls: 2}]")
    assert (await pay(toolbox, 5, agent="a")).ok
    assert (await pay(toolbox, 5, n=2, agent="a")).key == "limits.0"
    assert (await pay(toolbox, 5, n=3, agent="b")).ok
    assert (await pay(toolbox, 5, n=4, agent="c")).key == "limits.1"


@pytest.mark.parametrize("ledger", [True, False], ids=["ledger", "none"])
async def test_calls_that_run_side_by_side_count(opened: Any, bank: Bank, ledger: bool) -> None:
    toolbox = opened("[{per: all, sum: amount, le: 100}]", ledger=ledger)
    found = await asyncio.gather(*(pay(toolbox, 30, n=n, thread=f"t{n}") for n in range(10)))
    assert sum(each.ok for each in found) == 3
    assert {each.outcome for each in found if not each.ok} == {"denied"}
    assert sum(bank.paid) == 90


async def test_a_call_that_failed_counts_and_one_that_never_ran_does_not(
    opened: Any, bank: Bank, monkeypatch: Any
) -> None:
    toolbox = opened("[{per: session, calls: 1}]")
    bank.fails = "the bank is closed"
    assert (await pay(toolbox, 5)).outcome == "error"
    bank.fails = ""
    assert (await pay(toolbox, 5, n=2)).outcome == "denied", "it may have had its effect"

    from bailiwick.errors import SandboxUnavailable

    async def broken(*_: object) -> None:
        raise SandboxUnavailable("there is none")

    with monkeypatch.context() as patched:
        patched.setattr(toolbox.sandbox, "run", broken)
        assert (await pay(toolbox, 5, n=3, thread="u")).outcome == "no_sandbox"
    assert (await pay(toolbox, 5, n=4, thread="u")).ok


async def test_the_same_call_again_is_told_as_it_was_and_uses_nothing(opened: Any, bank: Bank) -> None:
    toolbox = opened("[{per: session, calls: 1}]")
    first, again = await pay(toolbox, 5), await pay(toolbox, 5)
    assert (first.ok, again.ok, again.replayed) == (True, True, True)
    assert bank.paid == [5]
