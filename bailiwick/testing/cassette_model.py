"""Any chat model, recorded once and played back in tests, without network and word by word where it streamed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from bailiwick.errors import ConfigError
from bailiwick.models import model_name
from bailiwick.testing.cassette import Cassette, Recorded, canonical_request

__all__ = ["CassetteModel", "Mode"]

Mode = Literal["replay", "record", "once"]
"""``replay``: the model is never asked. ``record``: anew. ``once``: recorded where there is no file, else replayed."""

SETTING = "BAILIWICK_CASSETTES"
_ALONE: RunnableConfig = {"callbacks": []}
"""The model inside is no step of its own: who listens to the run hears this one."""


class CassetteModel(BaseChatModel):
    """``CassetteModel(model, file="tests/cassettes/refund.yaml")`` plays what was recorded there, or records it.

    ``mode`` None: what ``BAILIWICK_CASSETTES`` says, else ``replay``, for which ``model`` may be None. E-mail
    addresses, card numbers and keys are left out of the file. Identical requests are played in the order in which they
    were recorded. A request that was not recorded raises CassetteMiss, which shows the nearest one. Raises ConfigError
    for a file that is missing or wrong, and for a recording without a model.
    """

    model_name: str = "cassette"
    model: BaseChatModel | None = None

    _cassette: Cassette = PrivateAttr()
    _records: bool = PrivateAttr()
    _lock: Any = PrivateAttr(default_factory=Lock)

    def __init__(self, model: BaseChatModel | None = None, *, file: Path | str, mode: Mode | None = None) -> None:
        path, chosen = Path(file), mode or _setting(Path(file))
        records = chosen == "record" or (chosen == "once" and not path.exists())
        if records and model is None:
            raise ConfigError("there is no model to record", file=path, fix="give CassetteModel a model, or replay")
        name = model_name(model) if records and model is not None else ""
        cassette = Cassette(path, model=name) if records else Cassette.load(path)
        super().__init__(model_name=cassette.model or "cassette", model=model)  # pyright: ignore[reportCallIssue]  fields
        self._cassette = cassette
        self._records = records

    @property
    def _llm_type(self) -> str:
        return "bailiwick-cassette"

    @property
    def cassette(self) -> Cassette:
        """What was recorded."""
        return self._cassette

    def assert_complete(self) -> None:
        """Raise AssertionError when something that was recorded was never asked for. A recording is always complete."""
        if not self._records and (left := self._cassette.unplayed()):
            numbers = ", ".join(str(number + 1) for number in left)
            raise AssertionError(f"{self._cassette.file}: recorded and never asked for: number {numbers}")

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        described = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=described, **kwargs)  # pyright: ignore[reportReturnType]  bind erases the output type

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = _canonical(messages, stop, kwargs)
        if not self._records:
            return _result(self._play(request).message())
        inside, bound = self._inside(kwargs)
        message = inside.invoke(messages, _ALONE, stop=stop, **bound)
        self._keep(request, answer=message)
        return _result(message)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = _canonical(messages, stop, kwargs)
        if not self._records:
            return _result(self._play(request).message())
        inside, bound = self._inside(kwargs)
        message = await inside.ainvoke(messages, _ALONE, stop=stop, **bound)
        self._keep(request, answer=message)
        return _result(message)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request = _canonical(messages, stop, kwargs)
        if not self._records:
            yield from map(_generation, self._play(request).chunks())
            return
        inside, bound = self._inside(kwargs)
        pieces: list[AIMessageChunk] = []
        for piece in inside.stream(messages, _ALONE, stop=stop, **bound):
            pieces.append(piece)
            yield _generation(pieces[-1])
        self._keep(request, pieces=pieces)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request = _canonical(messages, stop, kwargs)
        if not self._records:
            for chunk in self._play(request).chunks():
                yield _generation(chunk)
            return
        inside, bound = self._inside(kwargs)
        pieces: list[AIMessageChunk] = []
        async for piece in inside.astream(messages, _ALONE, stop=stop, **bound):
            pieces.append(piece)
            yield _generation(pieces[-1])
        self._keep(request, pieces=pieces)

    def _inside(self, kwargs: dict[str, Any]) -> tuple[BaseChatModel, dict[str, Any]]:
        """The model and what its own ``bind_tools`` makes of what is bound here.

        Taken apart, since a binding would bring the callbacks of the run in again, and every word would be heard twice.
        """
        assert self.model is not None, "a recording has a model"
        rest = {name: value for name, value in kwargs.items() if name != "tools"}
        inside: Any = self.model.bind_tools(kwargs["tools"], **rest) if kwargs.get("tools") else self.model.bind(**rest)
        bound: dict[str, Any] = {}
        while isinstance(inside, RunnableBinding):
            bound = {**inside.kwargs, **bound}
            inside = cast("Any", inside.bound)
        return inside, bound

    def _play(self, request: dict[str, Any]) -> Recorded:
        with self._lock:
            return self._cassette.play(request)

    def _keep(
        self, request: dict[str, Any], *, answer: AIMessage | None = None, pieces: Sequence[AIMessageChunk] = ()
    ) -> None:
        with self._lock:
            self._cassette.add(request, answer=answer, pieces=pieces)


def _setting(file: Path) -> Mode:
    given = os.environ.get(SETTING, "").strip() or "replay"
    if given not in ("replay", "record", "once"):
        raise ConfigError(
            f"{given!r} is no way to use a cassette", file=file, key=SETTING, fix="write replay, record or once"
        )
    return given


def _canonical(messages: Sequence[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in sorted(kwargs.items()) if name != "tools" and value is not None}
    if stop:
        settings["stop"] = stop
    # How an answer is parsed afterwards is not a part of what is asked.
    settings.pop("ls_structured_output_format", None)
    bound: list[dict[str, Any]] = kwargs.get("tools") or []
    tools = [tool.get("function", tool) for tool in bound]
    return canonical_request(messages, tools, settings)


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def _generation(chunk: AIMessageChunk) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=chunk)
