"""A turn's spans come back from Phoenix as they were written: kinds, parents, statuses, words."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from bailiwick import tracing
from bailiwick.sandbox import Result
from bailiwick.tracing import add_inside_spans, current_traceparent, span
from bailiwick.tracing import conventions as words

pytestmark = pytest.mark.phoenix


class Interrupted(Exception):
    """Stands for LangGraph's control flow, which is an exception and no error."""


def test_the_tree_of_a_turn_comes_back(phoenix: Any, tmp_path: Path) -> None:
    ran = Result(cause="ok", sandbox="docker", wall_ms=4.2, spans=({"name": "parse", "start_ns": 0, "end_ns": 1000},))
    with tracing.configure(endpoint=phoenix.endpoint, project="tree", spool=tmp_path / "spool") as traces:
        with span("turn support", "AGENT", words.turn("support", "thread-1", "C-1001", "Where is it?")) as turn:
            with span("think", "CHAIN"), span("chat rules", "LLM", words.model_request("rules", [])) as chat:
                answer = {"role": "assistant", "content": "I will look.", "tool_calls": []}
                chat.set(words.model_response(answer, {"input": 20, "output": 4}, attempts=2))
            with span("execute_tool refund", "TOOL", words.tool_call("refund", "call-1", "support", {"id": 7})) as tool:
                with span("policy default", "GUARDRAIL") as policy:
                    policy.fail("denied", "nobody may")
                tool.fail("denied", "nobody may")
            with span("attempt 1", "CHAIN"), span("sandbox.run", "CHAIN") as sandbox:
                sandbox.set(words.sandbox_run(ran))
                add_inside_spans(sandbox, ran.spans)
            turn.set(words.turn_outcome("Soon.", "answered", any_new=True))
        assert traces.flush(20)
        assert traces.waiting == 0

    found = phoenix.spans("tree", turn.trace_id, count=8)
    by_id = {one["context"]["span_id"]: one for one in found.values()}
    parents = {name: by_id[one["parent_id"]]["name"] if one["parent_id"] else None for name, one in found.items()}
    assert parents == {
        "turn support": None,
        "think": "turn support",
        "chat rules": "think",
        "execute_tool refund": "turn support",
        "policy default": "execute_tool refund",
        "attempt 1": "turn support",
        "sandbox.run": "attempt 1",
        "parse": "sandbox.run",
    }
    kinds = {name: (one["span_kind"], one["status_code"]) for name, one in found.items()}
    assert kinds["turn support"] == ("AGENT", "OK")
    assert kinds["chat rules"] == ("LLM", "OK")
    assert kinds["execute_tool refund"] == ("TOOL", "ERROR")
    assert kinds["policy default"] == ("GUARDRAIL", "ERROR")
    assert kinds["parse"] == ("CHAIN", "OK")
    assert found["execute_tool refund"]["status_message"] == "nobody may"
    assert found["turn support"]["attributes"]["session.id"] == "thread-1"
    assert found["turn support"]["attributes"]["user.id"] != "C-1001"
    assert found["chat rules"]["attributes"]["llm.token_count.total"] == 24
    assert found["execute_tool refund"]["attributes"]["gen_ai.tool.call.id"] == "call-1"
    assert found["execute_tool refund"]["attributes"]["error.type"] == "denied"


async def test_every_way_out_of_a_span_leaves_a_status(phoenix: Any, tmp_path: Path) -> None:
    with tracing.configure(endpoint=phoenix.endpoint, project="ways-out", spool=tmp_path / "spool") as traces:
        with span("turn", "AGENT") as turn:
            with pytest.raises(ValueError), span("raises", "CHAIN"):
                raise ValueError("wrong")
            with pytest.raises(Interrupted), span("interrupted", "CHAIN", control_flow=(Interrupted,)):
                raise Interrupted
            with pytest.raises(asyncio.CancelledError), span("cancelled", "CHAIN"):
                raise asyncio.CancelledError
            context = current_traceparent()
        assert await asyncio.to_thread(traces.flush, 20)

    assert re.fullmatch(f"00-{turn.trace_id}-{turn.span_id}-0[13]", context), "sampled, and random where it can say so"
    found = phoenix.spans("ways-out", turn.trace_id, count=4)
    assert (found["raises"]["status_code"], found["raises"]["status_message"]) == ("ERROR", "wrong")
    assert found["raises"]["events"][0]["name"] == "exception"
    assert found["interrupted"]["status_code"] == "OK"
    assert found["cancelled"]["attributes"]["error.type"] == "cancelled"


def test_what_phoenix_is_sent_is_redacted_on_disk_already(phoenix: Any, tmp_path: Path) -> None:
    planted = ("ada@example.com", "4111 1111 1111 1111", "sk-abcdefghijklmnopqrstuv")
    text = " and ".join(planted)
    with tracing.configure(endpoint="http://127.0.0.1:9", project="redacted", spool=tmp_path / "spool") as traces:
        with pytest.raises(ValueError), span(f"turn {text}", "AGENT", {"input.value": text, "metadata": {"a": [text]}}):
            raise ValueError(text)
        assert not traces.flush(5)
        assert traces.waiting == 1
    on_disk = b"".join(file.read_bytes() for file in (tmp_path / "spool").rglob("*.pb"))
    assert b"[e-mail]" in on_disk
    assert not [secret for secret in planted if secret.encode() in on_disk]

    with tracing.configure(endpoint=phoenix.endpoint, project="redacted", spool=tmp_path / "spool") as traces:
        assert traces.waiting == 1, "what an earlier process left is taken over"
        assert traces.flush(20)
    [stored] = phoenix.all_spans("redacted")
    assert "[card number]" in stored["attributes"]["input.value"]
    assert "[secret]" in stored["status_message"]
    assert not [secret for secret in planted if secret in str(stored)]
