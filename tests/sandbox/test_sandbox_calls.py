"""What a tool and its caller may rely on, whichever sandbox it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bailiwick.errors import SandboxFailed, ToolDefinitionError
from bailiwick.sandbox import Request, Sandbox, describe_tools, inside_path


async def test_arguments_arrive_as_the_types_of_the_function(sandbox: Sandbox, project) -> None:
    source = """
    from datetime import date
    from decimal import Decimal

    @tool
    def price(amount: Decimal, day: date, note: str | None = None) -> dict:
        '''The price.'''
        return {"amount": str(amount * 2), "day": (day.replace(day=1)).isoformat(), "note": note}
    """
    result = await project.call(sandbox, source, "price", args={"amount": 1.25, "day": "2026-11-25"})
    assert result.cause == "ok", result
    assert result.value == {"amount": "2.50", "day": "2026-11-01", "note": None}


async def test_a_wrong_argument_is_an_error_before_the_tool_runs(sandbox: Sandbox, project) -> None:
    source = """
    @tool
    def price(amount: int) -> int:
        '''The price.'''
        return amount
    """
    result = await project.call(sandbox, source, "price", args={"amount": "5"})
    assert result.cause == "error"
    assert result.failure is not None
    assert result.failure.type == "ArgumentError"
    assert "'amount' must be int" in result.failure.message


async def test_what_a_tool_raises_comes_back_as_data_without_host_paths(sandbox: Sandbox, project) -> None:
    source = """
    @tool
    def lookup(order: str) -> str:
        '''Look up.'''
        raise LookupError(f"no order {order}")
    """
    result = await project.call(sandbox, source, "lookup", args={"order": "ORD-1"})
    assert result.cause == "error"
    assert result.failure is not None
    assert (result.failure.type, result.failure.message) == ("LookupError", "no order ORD-1")
    assert 'File "/tool/shop.py", line 6, in lookup' in result.failure.traceback
    assert str(project.root) not in result.failure.traceback


async def test_output_spans_and_use_are_reported(sandbox: Sandbox, project) -> None:
    source = """
    import sys, time

    @tool
    def work() -> str:
        '''Work.'''
        print("to stdout")
        print("to stderr", file=sys.stderr)
        with span("outer", order="ORD-1") as found:
            with span("inner"):
                time.sleep(0.01)
            found["rows"] = 3
        try:
            with span("failing"):
                raise ValueError("no")
        except ValueError:
            pass
        return "done"
    """
    result = await project.call(sandbox, source, "work")
    assert (result.cause, result.value) == ("ok", "done")
    assert (result.stdout, result.stderr) == ("to stdout\n", "to stderr\n")
    inner, outer, failing = result.spans
    assert [span["name"] for span in result.spans] == ["inner", "outer", "failing"]
    assert outer["attributes"] == {"order": "ORD-1", "rows": 3}
    assert outer["start_ns"] <= inner["start_ns"] <= inner["end_ns"] <= outer["end_ns"]
    assert failing["error"] == "ValueError"
    assert result.wall_ms >= 10
    assert result.cpu_ms > 0
    assert result.peak_rss_bytes > 5 * 2**20
    assert result.sandbox == sandbox.kind
    assert result.container
    assert result.image_digest.startswith("sha256:")


async def test_spans_of_a_call_that_ran_out_of_time_are_kept(sandbox: Sandbox, project) -> None:
    source = """
    import time

    @tool
    def slow() -> None:
        '''Slow.'''
        with span("read"):
            pass
        print("began")
        time.sleep(60)
    """
    result = await project.call(sandbox, source, "slow", time=1.0)
    assert result.cause == "timeout"
    assert [span["name"] for span in result.spans] == ["read"]
    assert result.stdout == "began\n"


async def test_more_spans_than_anyone_reads_are_left_out(sandbox: Sandbox, project) -> None:
    source = """
    @tool
    def many() -> None:
        '''Many.'''
        for number in range(5000):
            with span("s" * 1000, text="x" * 10_000):
                pass
    """
    result = await project.call(sandbox, source, "many")
    assert result.cause == "ok"
    assert len(result.spans) == 64
    assert len(result.spans[0]["name"]) <= 201
    assert len(result.spans[0]["attributes"]["text"]) <= 501


async def test_secrets_and_the_idempotency_key_arrive_in_the_call(sandbox: Sandbox, project) -> None:
    source = """
    @tool
    def pay() -> dict:
        '''Pay.'''
        try:
            secret("OTHER")
        except KeyError as error:
            return {"key": idempotency_key(), "length": len(secret("TOKEN")), "other": str(error)}
    """
    result = await project.call(sandbox, source, "pay", secrets={"TOKEN": "s3cret"}, idempotency_key="thread:call")
    assert result.value["key"] == "thread:call"
    assert result.value["length"] == 6
    assert "sandbox.secrets" in result.value["other"]


async def test_an_async_tool_is_awaited(sandbox: Sandbox, project) -> None:
    source = """
    import asyncio

    @tool
    async def wait() -> str:
        '''Wait.'''
        await asyncio.sleep(0.01)
        return "waited"
    """
    assert (await project.call(sandbox, source, "wait")).value == "waited"


async def test_only_a_function_under_tool_can_be_called(sandbox: Sandbox, project) -> None:
    source = """
    def helper() -> str:
        return "never"

    @tool
    def real() -> str:
        '''Real.'''
        return helper()
    """
    result = await project.call(sandbox, source, "helper")
    assert result.failure is not None
    assert "no function 'helper' under @tool" in result.failure.message


async def test_a_module_that_declares_its_policy_beside_its_function_can_be_imported(sandbox: Sandbox, project) -> None:
    source = """
    from bailiwick import Policy, Rule, SandboxPolicy, Toolbox

    @tool(policy=Policy(rules=(Rule(id="all", decision="allow", agents=("any",), reason="x"),)))
    def declared(name: str) -> str:
        '''Declared.'''
        return f"hello {name}"

    toolbox = Toolbox.of(declared)
    """
    assert (await project.call(sandbox, source, "declared", args={"name": "you"})).value == "hello you"


async def test_files_of_the_policy_are_there_and_writable_only_where_it_says_so(sandbox: Sandbox, project) -> None:
    (project.root / "data").mkdir()
    (project.root / "data" / "rates.csv").write_text("AT,5")
    out = project.folder("data/out")
    source = """
    import os

    @tool
    def copy() -> list:
        '''Copy.'''
        with open("/work/data/rates.csv") as rates, open("/work/data/out/copy.csv", "w") as copy:
            copy.write(rates.read())
        return sorted(os.listdir("/work/data"))
    """
    policy = {"files": {"read": ["data/rates.csv"], "write": ["data/out"]}}
    result = await project.call(sandbox, source, "copy", policy=policy)
    assert result.value == ["out", "rates.csv"], result
    assert (out / "copy.csv").read_text() == "AT,5"
    assert (out / "copy.csv").stat().st_uid == project.spec(project.root / "tools/shop.py", **policy).uid


async def test_a_tool_may_import_the_requirements_of_its_policy_and_nothing_else(sandbox: Sandbox, project) -> None:
    source = """
    import importlib

    @tool
    def imports() -> dict:
        '''Import.'''
        found = {}
        for name in ("pypdf", "pydantic", "pip", "sqlite3", "ssl"):
            try:
                importlib.import_module(name)
                found[name] = True
            except ImportError:
                found[name] = False
        return found
    """
    result = await project.call(sandbox, source, "imports", policy={"requirements": ["pypdf"]}, time=15)
    assert result.value == {"pypdf": True, "pydantic": False, "pip": False, "sqlite3": True, "ssl": True}, result


async def test_arguments_too_large_or_too_deep_are_refused_before_anything_runs(sandbox: Sandbox, project) -> None:
    source = """
    @tool
    def take(value: list) -> int:
        '''Take.'''
        return len(value)
    """
    with pytest.raises(SandboxFailed, match="bytes large"):
        await project.call(sandbox, source, "take", args={"value": ["x" * 9 * 2**20]})
    deep: list = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(SandboxFailed, match="nested deeper"):
        await project.call(sandbox, source, "take", args={"value": deep})


async def test_a_large_argument_arrives(sandbox: Sandbox, project) -> None:
    source = """
    @tool
    def measure(text: str) -> int:
        '''Measure.'''
        return len(text)
    """
    text = "ü" * 1_000_000
    result = await project.call(sandbox, source, "measure", args={"text": text}, time=10)
    assert result.value == len(text)


async def test_every_tool_of_a_file_is_described_inside(sandbox: Sandbox, project) -> None:
    file = project.write("""
    @tool
    def first(name: str, times: int = 1) -> str:
        '''The first.

        Args:
            name: Whose.
        '''

    @tool
    def second() -> str:
        '''The second.'''
    """)
    first, second = await describe_tools(sandbox, project.spec(file), file)
    assert (first.name, first.description, first.file) == ("first", "The first.", file)
    assert first.parameters["required"] == ["name"]
    assert first.parameters["properties"]["name"] == {"type": "string", "description": "Whose."}
    assert second.name == "second"
    assert first.digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("source", "line", "message", "fix"),
    [
        ("import nothing_of_this_name", 2, "ModuleNotFoundError", "sandbox.requirements"),
        ("def broken(:", 2, "SyntaxError", "correct the file"),
        ("x = 1\ny = 1 / 0", 3, "ZeroDivisionError: division by zero", "correct the file"),
        ("def plain(): ...", None, "no function in it is a tool", "@tool"),
        ("@tool\ndef silent(name: str): ...", 2, "silent has no docstring", "What it does"),
        ("@tool\ndef untyped(name):\n    '''Untyped.'''", 2, "'name' has no type", "annotate it"),
        ("raise SystemExit(3)", 2, "SystemExit: 3", "correct the file"),
        ("import os\nos._exit(1)", None, "ToolExited", "imports and definitions"),
    ],
)
async def test_a_wrong_file_is_one_error_with_file_line_and_fix(
    sandbox: Sandbox, project, source: str, line: int | None, message: str, fix: str
) -> None:
    file = project.write(source)
    with pytest.raises(ToolDefinitionError) as caught:
        await describe_tools(sandbox, project.spec(file), file)
    assert caught.value.file == str(file)
    assert caught.value.line == line
    assert message in str(caught.value)
    assert fix in str(caught.value.fix)


async def test_calls_run_side_by_side_in_containers_of_their_own(sandbox: Sandbox, project) -> None:
    import asyncio

    source = """
    import os, time

    @tool
    def own(number: int) -> list:
        '''Own.'''
        open("/tmp/mine", "w").write(str(number))
        time.sleep(0.2)
        return [int(open("/tmp/mine").read()), len(os.listdir("/tmp"))]
    """
    file = project.write(source)
    spec = project.spec(file)
    results = await asyncio.gather(
        *(sandbox.run(spec, Request(file=inside_path(file), function="own", args={"number": n})) for n in range(6))
    )
    assert [result.value for result in results] == [[number, 1] for number in range(6)]
    assert len({result.container for result in results}) == 6


def test_a_tools_file_is_seen_alone(tmp_path: Path) -> None:
    assert inside_path(tmp_path / "tools" / "orders.py") == "/tool/orders.py"
