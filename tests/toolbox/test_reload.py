"""A policy that changes while its tool is in use."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage

from bailiwick import Toolbox
from bailiwick.gate import Call
from bailiwick.toolbox import CallRecord, CallSite, record_of


async def refund(toolbox: Toolbox, amount: float) -> CallRecord:
    found: ToolMessage = await toolbox.call(
        Call(id="c", tool="send", agent="a", args={"text": "x" * int(amount)}),
        CallSite(agent="a", thread=f"t{amount}", session={}),
    )
    record = record_of(found)
    assert record is not None
    return record


@pytest.fixture
def toolbox(open_toolbox: Callable[..., Toolbox], monkeypatch: pytest.MonkeyPatch) -> Toolbox:
    monkeypatch.setenv("SHOP_KEY", "k")
    return open_toolbox()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policies/send.yaml"


def rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


async def test_it_counts_from_the_next_call(toolbox: Toolbox, file: Path) -> None:
    assert (await refund(toolbox, 10)).ok
    rewrite(file, "{text: {}}", "{text: {max_length: 5}}")
    denied = await refund(toolbox, 11)
    assert (denied.outcome, denied.key) == ("denied", "args.text.max_length")
    rewrite(file, "max_length: 5", "max_length: 50")
    assert (await refund(toolbox, 12)).ok


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("decision: allow", "decision: alow", "'alow' is not known here"),
        ("args: {text: {}}", "args: {txet: {}}", "send has no argument 'txet'"),
        ("reason: r}", "reason: r, after: [{tool: nowhere}]}", "there is no policy for 'nowhere'"),
        ("secrets: [SHOP_KEY]", 'network: {allow: ["*:443"]}', "sandbox.network"),
        (
            "rules: [",
            "tests: [{agent: a, args: {text: x}, expect: deny}]\n        rules: [",
            "expected deny, got allow",
        ),
        ("version: 1", "", "does not say its version"),
        ("rules:", "rules: [", "send.yaml"),
    ],
)
async def test_a_broken_one_leaves_the_old_one_and_says_so_loudly(
    toolbox: Toolbox, file: Path, old: str, new: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = file.read_text()
    rewrite(file, old, new)
    with caplog.at_level(logging.INFO, "bailiwick.policy"):
        first, second = await refund(toolbox, 10), await refund(toolbox, 11)
    assert first.ok
    assert says in first.stale_policy
    assert second.stale_policy == first.stale_policy
    (told,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "the old version stays" in told.getMessage()
    file.write_text(good)
    assert (await refund(toolbox, 12)).stale_policy == ""


async def test_one_that_is_gone_is_no_policy(toolbox: Toolbox, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = file.read_text()
    file.unlink()
    with caplog.at_level(logging.ERROR, "bailiwick.policy"):
        gone = await refund(toolbox, 10)
    assert (gone.outcome, gone.key) == ("denied", "policy")
    assert "its file is gone" in caplog.text
    file.write_text(text)
    assert (await refund(toolbox, 11)).ok


async def test_what_a_container_may_touch_changes_with_it(toolbox: Toolbox, file: Path, tmp_path: Path) -> None:
    before = toolbox.registered["send"].spec
    (tmp_path / "data").mkdir()
    rewrite(file, "secrets: [SHOP_KEY]", "files: {read: [data]}")
    assert (await refund(toolbox, 10)).ok
    after = toolbox.registered["send"].spec
    assert before != after


async def test_a_call_keeps_the_policy_it_began_with(toolbox: Toolbox, file: Path, sandbox: Any) -> None:
    """The file changes while the tool runs: the call ends under the old policy, the next begins under the new."""
    ran = sandbox.run

    async def changing(*given: Any) -> Any:
        rewrite(file, "{text: {}}", "{text: {max_length: 1}}")
        return await ran(*given)

    sandbox.run = changing
    assert (await refund(toolbox, 10)).ok
    sandbox.run = ran
    assert (await refund(toolbox, 11)).outcome == "denied"
