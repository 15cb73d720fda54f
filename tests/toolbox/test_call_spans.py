"""Every call leaves an ``execute_tool`` span, also one that never ran, and it says how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bailiwick.gate import Call
from bailiwick.sandbox import Result
from bailiwick.testing import ScriptedSandbox
from bailiwick.toolbox import CallSite
from bailiwick.tracing.spans import stop_using, use_provider


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    use_provider(provider)
    yield exporter
    stop_using(provider)


async def take(toolbox: Any, exported: InMemorySpanExporter, tool: str, **args: Any) -> list[ReadableSpan]:
    site = CallSite(agent="agent", thread="t", session={})
    await toolbox.call(Call(id="c", tool=tool, agent="agent", args=args), site)
    return list(exported.get_finished_spans())


def names(spans: list[ReadableSpan]) -> list[str]:
    return [span.name for span in spans]


async def test_an_allowed_call(open_toolbox: Any, exported: InMemorySpanExporter) -> None:
    spans = await take(open_toolbox(ledger=False), exported, "lookup", order="O-1")
    assert names(spans) == ["policy any-order", "sandbox.run", "attempt 1", "execute_tool lookup"]
    assert all(span.status.is_ok for span in spans)
    kinds = [(span.attributes or {})["openinference.span.kind"] for span in spans]
    assert kinds == ["GUARDRAIL", "CHAIN", "CHAIN", "TOOL"]


async def test_a_denied_call_is_an_error(open_toolbox: Any, exported: InMemorySpanExporter) -> None:
    spans = await take(open_toolbox(ledger=False), exported, "lookup", order="no")
    assert names(spans) == ["policy any-order", "execute_tool lookup"]
    for span in spans:
        assert not span.status.is_ok
        assert (span.attributes or {})["error.type"] == "denied"
    assert "args.order.regex" in str(spans[-1].status.description)


@pytest.mark.parametrize(
    ("tool", "args", "error"), [("nothing", {}, "unknown_tool"), ("lookup", {}, "invalid_arguments")]
)
async def test_a_call_that_cannot_be_decided_on_is_an_error(
    open_toolbox: Any, exported: InMemorySpanExporter, tool: str, args: dict[str, Any], error: str
) -> None:
    (span,) = await take(open_toolbox(ledger=False), exported, tool, **args)
    assert span.name == f"execute_tool {tool}"
    assert not span.status.is_ok
    assert (span.attributes or {})["error.type"] == error


async def test_each_attempt_has_its_span(
    open_toolbox: Any, exported: InMemorySpanExporter, sandbox: ScriptedSandbox
) -> None:
    toolbox = open_toolbox(ledger=False)
    sandbox.tools["lookup"] = Result(cause="killed", sandbox="scripted")
    spans = await take(toolbox, exported, "lookup", order="O-1")
    assert [name for name in names(spans) if name.startswith("attempt")] == ["attempt 1", "attempt 2"]
    assert (spans[-1].attributes or {})["error.type"] == "killed"
