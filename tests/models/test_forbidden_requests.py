"""While model requests are forbidden, nothing reaches one; when they are not any more, everything is as before."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

from bailiwick.errors import ModelRequestForbidden
from bailiwick.models import request_answer, resolve_model
from bailiwick.testing import FunctionModel, ScriptedModel, forbid_model_requests


async def test_neither_by_name_nor_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    with forbid_model_requests():
        with pytest.raises(ModelRequestForbidden, match="openai:gpt-5"):
            resolve_model("openai:gpt-5")
        with pytest.raises(ModelRequestForbidden, match=r"api\.openai\.com"):
            await request_answer(ChatOpenAI(model="gpt-5"), [HumanMessage("x")], [])
        with pytest.raises(ModelRequestForbidden):
            httpx.get("https://api.anthropic.com/v1/messages")
        async with httpx.AsyncClient() as client:
            with pytest.raises(ModelRequestForbidden):
                await client.get("https://127.0.0.1.example.com/")


async def test_servers_of_this_machine_may_be_asked(serve: Any, reply: Any) -> None:
    serve(reply(text="here"))
    with forbid_model_requests(), forbid_model_requests():
        answer = await request_answer(resolve_model("openai:served"), [HumanMessage("x")], [])
    assert answer.message.text == "here"


def test_it_ends() -> None:
    before = httpx.HTTPTransport.handle_request
    with pytest.raises(RuntimeError), forbid_model_requests():
        raise RuntimeError
    assert httpx.HTTPTransport.handle_request is before


async def test_written_models_go_on() -> None:
    with forbid_model_requests():
        model = ScriptedModel("one")
        assert (await request_answer(model, [HumanMessage("x")], [])).message.text == "one"
        model.assert_complete()


async def test_a_script_that_is_not_used_up_or_is_too_short_says_so() -> None:
    model = ScriptedModel("one", "two")
    await request_answer(model, [HumanMessage("x")], [])
    with pytest.raises(AssertionError, match="1 of 2"):
        model.assert_complete()
    await request_answer(model, [HumanMessage("y")], [])
    with pytest.raises(AssertionError, match="asked for one more"):
        await request_answer(model, [HumanMessage("z")], [])
    assert [request[0].text for request in model.requests] == ["x", "y", "z"]


def test_a_function_model_is_handed_the_tools_it_is_bound_to() -> None:
    def speak(messages: Any, tools: Any) -> Any:
        from langchain_core.messages import AIMessage

        return AIMessage(",".join(tool["name"] for tool in tools))

    model = FunctionModel(function=speak)
    tool: Any = {"type": "function", "function": {"name": "a", "description": "", "parameters": {"type": "object"}}}
    assert model.bind_tools([tool]).invoke("x").text == "a"
    assert model.invoke("x").text == ""
