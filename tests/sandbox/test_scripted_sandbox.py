"""The sandbox for tests answers as written and remembers what it was asked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from bailiwick.errors import SandboxFailed
from bailiwick.sandbox import Request, Result, ScriptedSandbox, Spec, describe_tools

SPEC = Spec(image="python")


def price(amount: Decimal) -> str:
    """The price."""
    if amount < 0:
        raise ValueError("below zero")
    return str(amount * 2)


def ask(function: str, **args: object) -> Request:
    return Request(file="/tool/shop.py", function=function, args=args)


async def test_a_function_is_called_with_its_own_types() -> None:
    sandbox = ScriptedSandbox({"price": price})
    result = await sandbox.run(SPEC, ask("price", amount=1.25))
    assert (result.cause, result.value, result.sandbox) == ("ok", "2.50", "scripted")
    failed = await sandbox.run(SPEC, ask("price", amount=-1))
    assert failed.failure is not None
    assert (failed.cause, failed.failure.type, failed.failure.message) == ("error", "ValueError", "below zero")
    assert [request.args for _, request in sandbox.requests] == [{"amount": 1.25}, {"amount": -1}]


async def test_a_result_is_given_and_an_exception_raised() -> None:
    sandbox = ScriptedSandbox({"slow": Result(cause="timeout"), "broken": SandboxFailed("it broke")})
    assert (await sandbox.run(SPEC, ask("slow"))).cause == "timeout"
    with pytest.raises(SandboxFailed, match="it broke"):
        await sandbox.run(SPEC, ask("broken"))
    assert (await sandbox.run(SPEC, ask("unknown"))).cause == "error"


async def test_its_functions_are_described(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("")
    (tmp_path / "other.py").write_text("")
    sandbox = ScriptedSandbox({"price": price, "slow": Result(cause="ok")}, files={"shop.py": ["price"]})
    (described,) = await describe_tools(sandbox, SPEC, tmp_path / "shop.py")
    assert (described.name, described.description) == ("price", "The price.")
    await sandbox.close()
    assert sandbox.closed
