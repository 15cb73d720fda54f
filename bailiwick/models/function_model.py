"""A chat model that is a function of the conversation: rules where no model is to be had, and tests.

LangChain's own fake models refuse ``bind_tools``; this one takes it and hands the tools to the function. Since the
function sees the whole history and keeps nothing, it gives the same message after a crash and a resume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

__all__ = ["FunctionModel", "ModelFunction"]

ModelFunction = Callable[[Sequence[BaseMessage], Sequence[dict[str, Any]]], AIMessage]
"""``(messages, tools) -> AIMessage``; ``tools`` are ``{name, description, parameters}``."""


class FunctionModel(BaseChatModel):
    """``FunctionModel(function=fn)``: every answer is ``fn(messages, tools)``.

    ``notice`` is what an answer should say of where it comes from; empty says nothing.
    """

    function: ModelFunction
    model_name: str = "function"
    notice: str = ""

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
