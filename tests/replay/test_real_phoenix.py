"""What a real Phoenix gives back becomes a policy that lets the same calls through, and its replay changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bailiwick import tracing
from bailiwick.errors import InputRefused, TracingError
from bailiwick.replay.export_file import read_export
from bailiwick.replay.from_phoenix import read_phoenix
from bailiwick.replay.recorded import Conversation
from bailiwick.replay.simulation import simulate
from bailiwick.replay.suggestion import suggest
from bailiwick.tracing import conventions as words
from bailiwick.tracing import span

pytestmark = pytest.mark.phoenix

LOOKUP = """
output: {trust: trusted}
on_untrusted: allow
rules:
  - id: own
    decision: allow
    agents: [support]
    args: {order_id: {type: string}, customer_id: {equals: $session.user_id}}
    reason: their own
"""


def converse(thread: str, user: str, order: str, amount: float) -> None:
    """A scripted conversation, its spans as the agent, the toolbox and the gate write them."""
    says = f"Refund {amount:g} euro of {order}"
    with span("turn support", "AGENT", words.turn("support", thread, user, says)) as turn:
        for number, (tool, args, result) in enumerate(
            (
                ("lookup_order", {"order_id": order, "customer_id": user}, {"order_id": order, "total": 89.0}),
                ("refund_order", {"order_id": order, "amount": amount}, {"refunded": amount}),
            )
        ):
            prompt = [
                {"role": "system", "content": f"You are the support desk.\n\nYou are speaking with {user}."},
                {"role": "user", "content": says},
            ]
            call = {"id": f"{tool}-{number}", "name": tool, "args": args}
            with span("chat rules", "LLM", words.model_request("rules", prompt)) as chat:
                chat.set(words.model_response({"role": "assistant", "content": "", "tool_calls": [call]}, {}))
            with span(f"execute_tool {tool}", "TOOL", words.tool_call(tool, call["id"], "support", args)) as opened:
                with span("policy own", "GUARDRAIL") as policy:
                    policy.set(words.policy_decision("allow", "own", "because", "x.yaml:8", "sha256:1", "",
                                                     {"order_id": ["user"]}))  # fmt: skip
                opened.set(words.tool_outcome(json.dumps(result), "ok", "allow", trust="trusted"))
        turn.set(words.turn_outcome("Done.", "answered", any_new=False))


@pytest.fixture
def recorded(phoenix: Any, tmp_path: Path) -> Any:
    project = f"replay-{tmp_path.name}"
    with tracing.configure(endpoint=phoenix.endpoint, project=project, spool=tmp_path / "spool") as traces:
        for n in range(4):
            converse(f"thread-{n}", f"C-{n}", f"ORD-00011{n}", 10 + n)
        assert traces.flush(30)
    return project


def test_what_phoenix_gives_back_becomes_a_policy_that_allows_it(
    phoenix: Any, recorded: str, policies: Any, tmp_path: Path
) -> None:
    found = read_phoenix(phoenix.endpoint, recorded, page=7)  # 28 spans: more than one page
    assert [each.thread for each in found] == [f"thread-{n}" for n in range(4)]
    first = found[0]
    assert [(call.tool, call.outcome, call.trust) for call in first.calls] == [
        ("lookup_order", "ok", "trusted"),
        ("refund_order", "ok", "trusted"),
    ]
    assert first.calls[1].args == {"order_id": "ORD-000110", "amount": 10}
    assert first.calls[1].origins == {"order_id": ("user",)}
    assert first.calls[1].session == {"user_id": "C-0"}
    assert [(each.label, each.text) for each in first.said] == [
        ("user", "Refund 10 euro of ORD-000110"),
        ("operator", "You are the support desk.\n\nYou are speaking with C-0."),
    ]
    assert dict(first.missing) == {}

    known = policies(lookup_order=LOOKUP)
    suggested = suggest("refund_order", found, policies=known)
    assert not suggested.uncovered
    (rule,) = suggested.loaded.policy.rules
    assert rule.args["order_id"].origins == ("user",)
    assert rule.after[0].same == ("order_id",)
    played = simulate(found, {**known, "refund_order": suggested.loaded})
    assert (played.calls, played.unchanged) == (8, 8)

    # Phoenix's own client gives the same, and so does a file of what it gives.
    file = tmp_path / "spans.json"
    file.write_text(json.dumps(phoenix.all_spans(recorded)))
    assert plain(read_export(file)) == plain(found)


def test_only_what_is_not_too_old_is_read(phoenix: Any, recorded: str) -> None:
    assert len(read_phoenix(phoenix.endpoint, recorded, since=timedelta(hours=1))) == 4
    assert read_phoenix(phoenix.endpoint, recorded, since=timedelta(microseconds=1)) == []


def test_what_phoenix_does_not_have_is_said(phoenix: Any) -> None:
    with pytest.raises(InputRefused, match="knows no project 'nowhere'"):
        read_phoenix(phoenix.endpoint, "nowhere")
    with pytest.raises(TracingError, match="does not answer"):
        read_phoenix("http://127.0.0.1:9", "nowhere")


def plain(conversations: list[Conversation]) -> list[Conversation]:
    """Without what depends on the order in which spans of the same millisecond are given."""
    return [replace(each, said=tuple(sorted(each.said, key=lambda said: said.text))) for each in conversations]
