"""Any OpenAI-compatible server, over real HTTP: calls, streaming, refusals, silence."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage
from langgraph.graph import START, MessagesState, StateGraph

from bailiwick.errors import DeadlineExceeded, ModelNotConfigured, ModelUnavailable, PromptTooLarge
from bailiwick.models import configured_name, model_name, request_answer, resolve_model
from bailiwick.models import one_model as request_room
from bailiwick.resilience import deadline

QUESTION = [SystemMessage("Be brief."), HumanMessage("Where is it?")]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "lookup",
        "description": "Find.",
        "parameters": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
    },
}


def model() -> Any:
    name = configured_name()
    assert name == "openai:served"
    return resolve_model(name)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_room, "_backoff", lambda state: 0.01)


async def test_a_plain_answer(serve: Any, reply: Any) -> None:
    served = serve(reply(text="On its way."))
    answer = await request_answer(model(), QUESTION, [])
    assert (answer.message.text, answer.attempts) == ("On its way.", 1)
    assert answer.message.usage_metadata is not None
    assert answer.message.usage_metadata["input_tokens"] == 11
    (asked,) = served.asked
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert "tools" not in asked
    assert model_name(model()) == "served"


async def test_tools_are_offered_and_calls_come_back(serve: Any, reply: Any) -> None:
    served = serve(reply(calls=(("lookup", '{"order": "O-1"}'), ("lookup", '{"order": "O-2"}'))))
    answer = await request_answer(model(), QUESTION, [TOOL])
    assert [(call["name"], call["args"]) for call in answer.message.tool_calls] == [
        ("lookup", {"order": "O-1"}),
        ("lookup", {"order": "O-2"}),
    ]
    assert served.asked[0]["tools"][0]["function"]["name"] == "lookup"


async def test_tokens_stream_through_a_node(serve: Any, reply: Any) -> None:
    served = serve(reply(text="one two three"))

    async def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [(await request_answer(model(), state["messages"], [])).message]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_edge(START, "think")
    app = graph.compile()
    given: Any = {"messages": QUESTION}
    tokens = [
        part.text async for part, _ in app.astream(given, stream_mode="messages") if isinstance(part, AIMessageChunk)
    ]
    assert [token for token in tokens if token] == ["one ", "two ", "three"]
    assert served.asked[0]["stream"] is True


async def test_calls_stream_through_a_node_as_well(serve: Any, reply: Any) -> None:
    serve(reply(calls=(("lookup", '{"order": "O-1"}'),)))

    async def think(state: MessagesState) -> dict[str, Any]:
        return {"messages": [(await request_answer(model(), state["messages"], [TOOL])).message]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_edge(START, "think")
    given: Any = {"messages": QUESTION}
    last: Any = None
    async for mode, part in graph.compile().astream(given, stream_mode=["messages", "values"]):
        last = part["messages"][-1] if mode == "values" else last
    assert [call["args"] for call in last.tool_calls] == [{"order": "O-1"}]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 408])
async def test_what_may_pass_is_tried_again(serve: Any, reply: Any, status: int) -> None:
    served = serve(reply(status=status), reply(text="now"))
    answer = await request_answer(model(), QUESTION, [])
    assert (answer.message.text, answer.attempts) == ("now", 2)
    assert len(served.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_what_will_not_pass_is_not(serve: Any, reply: Any, status: int) -> None:
    served = serve(reply(status=status))
    with pytest.raises(ModelUnavailable, match=rf"served refused or failed .attempts: 1.*{status}"):
        await request_answer(model(), QUESTION, [])
    assert len(served.asked) == 1


async def test_attempts_end(serve: Any, reply: Any) -> None:
    served = serve(reply(status=503))
    with pytest.raises(ModelUnavailable, match="attempts: 3"):
        await request_answer(model(), QUESTION, [])
    assert len(served.asked) == 3


async def test_retry_after_is_honoured_in_seconds_and_as_a_date(serve: Any, reply: Any) -> None:
    served = serve(reply(status=429, headers={"retry-after": "1"}), reply(text="now"))
    await request_answer(model(), QUESTION, [])
    assert 0.95 <= served.times[1] - served.times[0] < 3

    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    served = serve(reply(status=429, headers={"retry-after": soon}), reply(text="now"))
    await request_answer(model(), QUESTION, [])
    assert 0.5 <= served.times[1] - served.times[0] < 4


@pytest.mark.parametrize("asked", ["3600", "Wed, 01 Jan 2120 00:00:00 GMT"])
async def test_a_wait_longer_than_the_turn_is_not_waited_for(serve: Any, reply: Any, asked: str) -> None:
    served = serve(reply(status=429, headers={"retry-after": asked}))
    started = time.monotonic()
    with pytest.raises(ModelUnavailable, match="429"):
        await request_answer(model(), QUESTION, [])
    assert time.monotonic() - started < 5
    assert len(served.asked) == 1


@pytest.mark.parametrize("asked", ["soon", "-5", "nan", "inf", ""])
async def test_a_wait_that_makes_no_sense_is_none(serve: Any, reply: Any, asked: str) -> None:
    serve(reply(status=429, headers={"retry-after": asked}), reply(text="now"))
    assert (await request_answer(model(), QUESTION, [])).message.text == "now"


async def test_a_server_that_says_nothing_ends_with_the_deadline(serve: Any, reply: Any) -> None:
    serve(reply(text="late", hang=3))
    started = time.monotonic()
    with deadline(0.5), pytest.raises(ModelUnavailable, match="did not answer in the time given"):
        await request_answer(model(), QUESTION, [])
    assert time.monotonic() - started < 2


async def test_no_time_left_asks_nobody(serve: Any, reply: Any) -> None:
    served = serve(reply(text="x"))
    with deadline(0), pytest.raises(DeadlineExceeded):
        await request_answer(model(), QUESTION, [])
    assert served.asked == []


async def test_nobody_listening(serve: Any, reply: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(reply(text="x"))
    monkeypatch.setenv("BAILIWICK_MODEL_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(ModelUnavailable, match="attempts: 3"):
        await request_answer(model(), QUESTION, [])


async def test_a_prompt_that_is_too_large_is_refused_before_it_is_sent(serve: Any, reply: Any) -> None:
    served = serve(reply(text="x"))
    with pytest.raises(PromptTooLarge, match="served takes 128000"):
        await request_answer(model(), [HumanMessage("word " * 300_000)], [])
    big = {**TOOL, "function": {**TOOL["function"], "description": "word " * 300_000}}
    with pytest.raises(PromptTooLarge):
        await request_answer(model(), QUESTION, [big])
    assert served.asked == []


async def test_a_call_that_is_no_json_is_asked_for_again(serve: Any, reply: Any) -> None:
    served = serve(reply(calls=(("lookup", '{"order": '),)), reply(text="sorry"))
    answer = await request_answer(model(), QUESTION, [TOOL])
    assert answer.message.text == "sorry"
    assert len(served.asked) == 2
    serve(reply(calls=(("lookup", "nonsense"),)))
    with pytest.raises(ModelUnavailable, match="its arguments for lookup are no JSON"):
        await request_answer(model(), QUESTION, [TOOL])


async def test_the_key_is_sent_and_a_server_of_ones_own_needs_none(
    serve: Any, reply: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(reply(text="x"))
    await request_answer(model(), QUESTION, [])
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    await request_answer(model(), QUESTION, [])
    assert served.keys == ["Bearer none", "Bearer sk-mine"]


@pytest.mark.names_outside
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("openai:gpt-5", "cannot be set up"),
        ("nobody:x", "cannot be set up"),
        ("nothing-known", "cannot be set up"),
        ("anthropic:claude", "needs a package that is not installed"),
        (":", "cannot be set up"),
    ],
)
def test_a_model_that_cannot_be_had_is_one_clear_error(name: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelNotConfigured, match=says) as caught:
        resolve_model(name)
    assert name in caught.value.message
    assert caught.value.fix
