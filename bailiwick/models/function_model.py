"""A chat model that is a function of the conversation: rules where no model is to be had, and tests.

LangChain's own fake models refuse ``bind_tools``; this one takes it and hands the tools to the function. Since the
function sees the whole history and keeps nothing, it gives the same message after a crash and a resume.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

__all__ = ["FunctionModel", "ModelFunction"]

ModelFunction = Callable[[Sequence[BaseMessage], Sequence[dict[str, Any]]], AIMessage]
"""``(messages, tools) -> AIMessage``; ``tools`` are ``{name, description, parameters}``."""


class FunctionModel(BaseChatModel):
    """``FunctionModel(function=fn)``: every answer is ``fn(messages, tools)``.

    ``notice`` is what an answer should say of where it comes from; empty says nothing. With
    ``disable_streaming=False`` who asks for a stream gets the answer word by word.
    """

    function: ModelFunction
    model_name: str = "function"
    notice: str = ""
    disable_streaming: bool | Literal["tool_calling"] = True

    @property
    def _llm_type(self) -> str:
        return "bailiwick-function"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        described = [convert_to_openai_tool(tool)["function"] for tool in tools]
        return self.bind(tools=described, **kwargs)  # pyright: ignore[reportReturnType]  bind erases the output type

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = self.function(messages, kwargs.get("tools") or [])
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in _pieces(self.function(messages, kwargs.get("tools") or [])):
            yield ChatGenerationChunk(message=chunk)


def _pieces(message: AIMessage) -> Iterator[AIMessageChunk]:
    """The words of ``message`` one by one, its calls after them, and last what it came to."""
    words = re.findall(r"\s*\S+\s*", message.content) if isinstance(message.content, str) else [message.content]
    for word in words:
        yield AIMessageChunk(content=word, id=message.id)
    for index, call in enumerate(message.tool_calls):
        arguments = json.dumps(call["args"], ensure_ascii=False)
        chunk = tool_call_chunk(name=call["name"], args=arguments, id=call["id"], index=index)
        yield AIMessageChunk(content="", id=message.id, tool_call_chunks=[chunk])
    yield AIMessageChunk(
        content="",
        id=message.id,
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        additional_kwargs=message.additional_kwargs,
        chunk_position="last",
    )
