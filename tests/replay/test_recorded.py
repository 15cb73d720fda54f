"""Spans and exports become conversations: who said what, which calls there were, and what of it is not known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bailiwick.errors import InputRefused
from bailiwick.replay.export_file import read_export

ORDER = {"order_id": "ORD-000117", "customer_id": "C-1001"}


def test_a_thread_is_put_together_from_its_traces_in_order(recording: Any) -> None:
    recording.turn("t", "Where is ORD-000117?", user="C-1001")
    recording.passage("Parcels take three days.")
    recording.passage("Beside the point.", relevant=False)
    recording.call("lookup_order", ORDER, {"total": 89.0}, rule="own-order", trust="trusted")
    recording.turn("t", "Then refund 10 euro", user="C-1001")
    recording.call("refund_order", {"amount": 900}, "Not allowed", decision="deny", rule="large", key="args.amount.le",
                   outcome="denied")  # fmt: skip
    (found,) = recording.conversations()
    assert (found.thread, found.named, dict(found.missing)) == ("t", True, {})
    texts = [(each.label, each.text) for each in found.said]
    assert texts == [
        ("user", "Where is ORD-000117?"),
        ("operator", "You are the support desk.\n\nYou are speaking with C-1001."),
        ("knowledge", "p\nParcels take three days."),
        ("user", "Then refund 10 euro"),
    ]
    looked_up, refused = found.calls
    assert (looked_up.tool, dict(looked_up.args), looked_up.agent) == ("lookup_order", ORDER, "support")
    assert (looked_up.decision, looked_up.rule, looked_up.outcome) == ("allow", "own-order", "ok")
    assert (looked_up.result, looked_up.trust, looked_up.incomplete) == ('{"total": 89.0}', "trusted", "")
    assert (refused.decision, refused.key, refused.began) == ("deny", "args.amount.le", False)
    assert looked_up.ended < refused.begun


def test_who_spoke_is_known_where_the_pseudonym_is_that_of_a_value_in_the_record(recording: Any) -> None:
    recording.turn("told", "Hello", user="C-1").call("lookup_order", {"order_id": "ORD-1"})
    recording.turn("not told", "Hello", user="C-2", told=False).call("lookup_order", {"customer_id": "C-2"})
    recording.turn("a stranger", "Hello", user="C-3", told=False).call("lookup_order", {"customer_id": "C-2"})
    recording.turn("nobody", "Hello").call("lookup_order", {"customer_id": "C-2"})
    told, own, stranger, nobody = (each.calls[0] for each in recording.conversations())
    assert told.session == {"user_id": "C-1"}
    assert own.session == {"user_id": "C-2"}
    assert stranger.session == {}
    assert stranger.user
    assert (nobody.session, nobody.user) == ({}, "")


def test_a_call_that_waited_and_was_resumed_is_one_call(recording: Any) -> None:
    recording.turn("t", "Refund 64 euro")
    name = recording.call("refund_order", {"amount": 64}, decision="ask", rule="large", outcome="")
    recording.turn("t")
    recording.call("refund_order", {"amount": 64}, decision="ask", rule="large", id=name)
    recording.turn("t", "And one that nobody answers")
    recording.call("refund_order", {"amount": 70}, decision="ask", rule="large", outcome="")
    (found,) = recording.conversations()
    assert [(call.args["amount"], call.outcome, call.ran) for call in found.calls] == [
        (64, "ok", True),
        (70, "waiting", False),
    ]


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"text": "x" * 9000}, "too long"),
        ({"text": "write to [e-mail]"}, "redacted"),
    ],
)
def test_arguments_that_are_not_whole_are_not_taken_for_whole(recording: Any, args: dict[str, Any], why: str) -> None:
    recording.turn("t", "Hello").call("open_ticket", args)
    assert why in recording.conversations()[0].calls[0].incomplete


def test_a_redacted_number_breaks_the_json_and_not_the_reader(recording: Any) -> None:
    recording.turn("t", "Hello").call("pay", {"card": 1})
    next(each for each in recording.spans if each["span_kind"] == "TOOL")["attributes"]["input.value"] = (
        '{"card": [card number]}'
    )
    assert "redacted" in recording.conversations()[0].calls[0].incomplete


def test_what_was_cut_or_came_before_is_missing(recording: Any) -> None:
    recording.turn("cut", "x" * 9000).call("lookup_order", ORDER)
    recording.turn("late", "And now?")
    chat = recording.spans[-1]["attributes"]
    chat |= {"llm.input_messages.2.message.role": "assistant", "llm.input_messages.2.message.content": "Yes."}
    recording.call("lookup_order", ORDER)
    cut, late = recording.conversations()
    assert list(cut.missing) == ["user"]
    assert list(late.missing) == ["before"]


def test_spans_without_a_turn_are_a_conversation_for_each_trace(recording: Any) -> None:
    recording.turn("t", "Where is ORD-000117?").call("lookup_order", ORDER)
    recording.spans = [each for each in recording.spans if each["span_kind"] != "AGENT"]
    (found,) = recording.conversations()
    assert not found.named
    assert ("user", "Where is ORD-000117?") in [(each.label, each.text) for each in found.said]
    assert found.calls[0].user is None


def nested(attributes: dict[str, Any]) -> dict[str, Any]:
    """As Phoenix's pages export them."""
    made: dict[str, Any] = {}
    for name, value in attributes.items():
        *path, last = name.split(".")
        at = made
        for part in path:
            at = at.setdefault(part, {})
        at[last] = value
    return made


@pytest.mark.parametrize("form", ["data", "list", "lines", "pages", "nested"])
def test_every_form_of_export_is_read(recording: Any, tmp_path: Path, form: str) -> None:
    recording.turn("t", "Where is ORD-000117?", user="C-1001").call("lookup_order", ORDER)
    wanted = recording.conversations()
    spans = recording.spans
    file = tmp_path / "export"
    match form:
        case "data":
            text = json.dumps({"data": spans})
        case "list":
            text = json.dumps(spans, indent=2)
        case "lines":
            text = "\n".join(map(json.dumps, spans)) + "\n"
        case "pages":
            text = "\n".join(json.dumps({"data": part}) for part in (spans[:2], spans[2:]))
        case _:
            text = json.dumps([{**each, "attributes": nested(each["attributes"])} for each in spans])
    file.write_text(text)
    assert read_export(file) == wanted


def test_what_ask_prints_is_read_with_what_it_lacks(tmp_path: Path) -> None:
    call = {"id": "1", "tool": "lookup_order", "agent": "support", "args": ORDER, "decision": "allow",
            "rule": "own-order", "outcome": "ok", "trust": "trusted", "span_id": "62c8"}  # fmt: skip
    turns = [{"agent": "support", "thread": "t", "calls": [call], "passages": [{"text": "Three days."}]}] * 2
    (tmp_path / "turns.jsonl").write_text("\n".join(map(json.dumps, turns)))
    (found,) = read_export(tmp_path / "turns.jsonl")
    assert [each.span for each in found.calls] == ["62c8", "62c8"]
    assert set(found.missing) == {"user", "operator", "before"}
    assert found.calls[0].result is None
    assert found.calls[0].time is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no tool call is recorded"),
        ("{", ":1: this is no JSON"),
        ('{"a": 1}', "it has no context"),
        ("[1]", "item 0 is no span"),
        ("7", "neither a span nor a turn"),
        ('{"context": {}}', "no trace_id and span_id"),
        ('{"context": {"trace_id": "1", "span_id": "2"}, "start_time": "noon"}', "start_time is no time: 'noon'"),
        ('{"context": {"trace_id": "1", "span_id": "2"}, "start_time": "2026-11-01T12:00:00Z"}', "no tool call"),
        ('{"thread": "t", "calls": [{}]}', "one of its calls has no tool and args"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_file_is_one_clear_error(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "broken.json"
    file.write_text(text)
    with pytest.raises(InputRefused) as error:
        read_export(file)
    assert str(file) in error.value.message
    assert says in error.value.message
    assert error.value.fix


def test_the_line_that_is_broken_is_named(recording: Any, tmp_path: Path) -> None:
    recording.turn("t", "Hello").call("lookup_order", ORDER)
    lines = list(map(json.dumps, recording.spans))
    (tmp_path / "lines.jsonl").write_text("\n".join([*lines[:2], '{"torn": ', *lines[2:]]))
    with pytest.raises(InputRefused, match=r"lines.jsonl:3: this is no JSON"):
        read_export(tmp_path / "lines.jsonl")
    with pytest.raises(InputRefused, match="cannot be read"):
        read_export(tmp_path / "nowhere")
