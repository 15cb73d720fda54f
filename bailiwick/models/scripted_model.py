"""A chat model that says what a test wrote down, in order, and can be asked whether all of it was said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from bailiwick.models.function_model import FunctionModel

__all__ = ["ScriptedModel"]


class ScriptedModel(FunctionModel):
    """``ScriptedModel(AIMessage(...), "text", ...)``: one entry per request; more requests than entries fail."""

    def __init__(self, *script: AIMessage | str) -> None:
        entries = [entry if isinstance(entry, AIMessage) else AIMessage(entry) for entry in script]
        self_requests: list[list[BaseMessage]] = []

        def speak(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
            self_requests.append(list(messages))
            if len(self_requests) > len(entries):
                raise AssertionError(f"the script has {len(entries)} entries and was asked for one more")
            return entries[len(self_requests) - 1].model_copy(deep=True)

        super().__init__(function=speak, model_name="scripted")
        self._requests = self_requests
        self._entries = entries

    _requests: list[list[BaseMessage]]
    _entries: list[AIMessage]

    @property
    def requests(self) -> list[list[BaseMessage]]:
        """What was sent, a list of messages per request."""
        return self._requests

    def assert_complete(self) -> None:
        """Raise AssertionError when the script was not used up."""
        if len(self._requests) != len(self._entries):
            raise AssertionError(f"{len(self._requests)} of {len(self._entries)} scripted messages were asked for")
