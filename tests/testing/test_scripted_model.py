"""A model that says what a test wrote down: also as errors, by a function, and word by word."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

from bailiwick.testing import FunctionModel, ScriptedModel

CALL: Any = {"name": "add", "args": {"a": 1, "b": 2}, "id": "call-1", "type": "tool_call"}


def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


def test_entries_are_said_in_order_and_all_of_them_must_be() -> None:
    model = ScriptedModel(AIMessage("", tool_calls=[CALL]), lambda messages, tools: f"It is {messages[-1].text}.")
    agent: Any = create_agent(model, [add])
    with pytest.raises(AssertionError, match="0 of 2"):
        model.assert_complete()
    assert agent.invoke({"messages": [("user", "1 + 2?")]})["messages"][-1].text == "It is 3."
    model.assert_complete()
    assert [message.text for message in model.requests[1]] == ["1 + 2?", "", "3"]
    with pytest.raises(AssertionError, match="asked for one more"):
        model.invoke("again")
    with pytest.raises(AssertionError, match="3 of 2"):
        model.assert_complete()


def test_an_error_in_the_script_is_raised_and_a_function_sees_the_tools() -> None:
    model = ScriptedModel(ConnectionError("gone"), lambda messages, tools: AIMessage(tools[0]["name"]))
    bound = model.bind_tools([add])
    with pytest.raises(ConnectionError, match="gone"):
        bound.invoke("Hello")
    assert bound.invoke("Hello").text == "add"
    model.assert_complete()


async def test_words_and_calls_stream_and_come_to_the_same_message() -> None:
    usage: Any = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    said = AIMessage("Let me\nsee, then.", tool_calls=[CALL], usage_metadata=usage)
    model = ScriptedModel(said, said)
    chunks = [chunk async for chunk in model.astream("1 + 2?")]
    assert [chunk.text for chunk in chunks if chunk.text] == ["Let ", "me\n", "see, ", "then."]
    whole: Any = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert (whole.text, whole.tool_calls, whole.usage_metadata) == (said.text, said.tool_calls, usage)
    assert model.invoke("1 + 2?").tool_calls == said.tool_calls


async def test_a_graph_streams_it_token_by_token_and_a_function_model_only_when_asked_to() -> None:
    def speak(messages: Any, tools: Any) -> AIMessage:
        return AIMessage("one two")

    async def heard(model: Any) -> list[str]:
        agent: Any = create_agent(model, [add])
        given = {"messages": [HumanMessage("Hello")]}
        parts = [part async for part, _ in agent.astream(given, stream_mode="messages")]
        return [part.text for part in parts if isinstance(part, AIMessageChunk) and part.text]

    assert await heard(ScriptedModel("one two")) == ["one ", "two"]
    assert await heard(FunctionModel(function=speak)) == []
    assert await heard(FunctionModel(function=speak, disable_streaming=False)) == ["one ", "two"]


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
async def test_the_events_of_the_third_version_tell_its_words_too() -> None:
    agent: Any = create_agent(ScriptedModel("one two"), [add])
    stream = await agent.astream_events({"messages": [HumanMessage("Hello")]}, version="v3")
    words = [token async for message in stream.messages async for token in message.text]
    assert "".join(words) == "one two"
    assert len(words) > 1
