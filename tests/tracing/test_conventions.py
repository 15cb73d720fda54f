"""The words of each span, and that a turn says no more of itself when its conversation is long."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from syrupy.assertion import SnapshotAssertion

from bailiwick import tracing
from bailiwick.sandbox import EgressEvent, Result
from bailiwick.tracing import add_egress_spans, add_inside_spans, span
from bailiwick.tracing import conventions as words

DENIED = EgressEvent(
    host="other.example", port=443, decision="denied", reason="the policy does not name it", start_ns=1, end_ns=2
)
CALL = {"name": "lookup_order", "args": {"order_id": "ORD-000001"}, "id": "call-1", "type": "tool_call"}


def test_the_words_of_every_span(snapshot: SnapshotAssertion) -> None:
    messages = [
        {"role": "system", "content": "You help.", "tool_calls": []},
        {"role": "user", "content": "Where is ORD-000001?", "tool_calls": []},
    ]
    passage = {"id": "p1", "text": "Parcels take two days.", "score": 0.5, "source": "shipping.md"}
    assert {
        "turn": words.turn("support", "thread-1", "C-1001", "Where is ORD-000001?"),
        "turn, resumed by nobody": words.turn("support", "thread-1", None, ""),
        "turn_outcome": words.turn_outcome("On its way.", "answered", any_new=False),
        "model_request": words.model_request("openai:gpt-5", messages),
        "model_response": words.model_response(
            {"role": "assistant", "content": "", "tool_calls": [CALL]}, {"input": 12, "output": 3}, attempts=1
        ),
        "tool_call": words.tool_call("lookup_order", "call-1", "support", {"order_id": "ORD-000001"}),
        "tool_outcome": words.tool_outcome("It left.", "ok", "allow"),
        "policy_decision": words.policy_decision(
            "deny", "small", "no order was looked up", "policies/refund_order.yaml:9", "sha256:ab", "after"
        ),
        "sandbox_run": words.sandbox_run(Result(cause="timeout", sandbox="docker", start_ms=1.5, wall_ms=5000.0)),
        "egress": words.egress(DENIED),
        "retrieval": words.retrieval([passage], "keyword-only", ["the vector index is slow"], 1.25, query="parcel"),
    } == snapshot


def test_a_long_conversation_makes_no_longer_spans() -> None:
    def size(history: int) -> int:
        filled = [{"role": "user", "content": "x" * 5000, "tool_calls": [CALL]} for _ in range(history)]
        return len(str(words.model_request("rules", filled)))

    assert size(500) - size(20) < 10
    shown = words.model_request("rules", [{"role": "user", "content": str(number)} for number in range(100)])
    assert shown["bailiwick.messages_left_out"] == 93
    assert shown["llm.input_messages.1.message.content"] == "[93 earlier messages are left out of this span]"
    assert shown["llm.input_messages.7.message.content"] == "99"


@pytest.mark.parametrize("limit", [words.ANSWER])
def test_cut_values_say_how_much_is_missing(limit: int) -> None:
    cut = words.tool_call("t", "c", "a", {"text": "y" * 20_000})
    assert len(cut["input.value"]) < limit + 50
    assert cut["input.value"].endswith("characters left out]")
    assert cut["input.mime_type"] == "text/plain", "cut JSON is no JSON"


def test_what_a_container_says_of_itself_is_held_within_its_run() -> None:
    kept = InMemorySpanExporter()
    forged = {"openinference.span.kind": "AGENT", "bailiwick.policy.decision": "allow", "rows": 3, "long": "z" * 9000}
    told: list[Any] = [
        {"name": "parse", "start_ns": -(10**18), "end_ns": 10**18, "attributes": forged, "error": "ValueError"},
        {"name": 5, "start_ns": 0, "end_ns": 1},
        "no span",
        *({"name": f"more {number}", "start_ns": 0, "end_ns": 1} for number in range(100)),
    ]
    with tracing.configure(endpoint=None, project="inside", also=kept):
        with span("sandbox.run", "CHAIN") as opened:
            add_inside_spans(opened, told)
        add_inside_spans(opened, told)  # It has ended: nothing is added any more.

    run = next(one for one in kept.get_finished_spans() if one.name == "sandbox.run")
    inside = [one for one in kept.get_finished_spans() if one is not run]
    parse = inside[0]
    assert len(inside) + (run.attributes or {})["bailiwick.inside_spans_left_out"] == len(told)
    assert len(inside) == 62
    assert run.start_time <= parse.start_time <= parse.end_time <= run.end_time  # type: ignore[operator]
    assert parse.parent is not None
    assert parse.parent.span_id == run.context.span_id
    attributes = dict(parse.attributes or {})
    assert attributes["openinference.span.kind"] == "CHAIN"
    assert attributes["inside.openinference.span.kind"] == "AGENT"
    assert attributes["inside.rows"] == 3
    assert len(str(attributes["inside.long"])) < 1100
    assert parse.status.description == "ValueError"


def test_a_denied_connection_is_an_error_that_no_tool_can_crowd_out_or_pass_off() -> None:
    kept = InMemorySpanExporter()
    lie = {"bailiwick.egress.decision": "allowed"}
    claims = [{"name": "egress other.example:443", "start_ns": 0, "end_ns": 1, "attributes": lie} for _ in range(100)]
    with tracing.configure(endpoint=None, project="egress", also=kept), span("sandbox.run", "CHAIN") as opened:
        add_egress_spans(opened, [DENIED])
        add_inside_spans(opened, claims)
    seen = [one for one in kept.get_finished_spans() if "bailiwick.egress.decision" in (one.attributes or {})]
    (denied,) = seen  # what a tool says is under inside.
    assert (denied.attributes or {})["bailiwick.egress.decision"] == "denied"
    assert (denied.attributes or {})["error.type"] == "EgressDenied"
    assert denied.status.description == "the policy does not name it"


def test_without_a_place_for_spans_a_turn_costs_nothing_and_goes_on() -> None:
    with span("turn", "AGENT", words.turn("support", "t", None, "?")) as turn:
        add_inside_spans(turn, [{"name": "parse", "start_ns": 0, "end_ns": 1}])
    assert turn.trace_id == "0" * 32
