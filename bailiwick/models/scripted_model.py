"""A chat model that says what a test wrote down, in order, and can be asked whether all of it was said."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from bailiwick.models.function_model import FunctionModel, ModelFunction

__all__ = ["Scripted", "ScriptedModel"]

Scripted = AIMessage | str | Exception | ModelFunction
"""What is said, an error that is raised in its place, or a function of what was asked that gives either."""


class ScriptedModel(FunctionModel):
    """``ScriptedModel(AIMessage(...), "text", ...)``: one entry per request; more requests than entries fail.

    An exception among them is raised, a function is called with ``(messages, tools)``. It streams word by word.
    """

    def __init__(self, *script: Scripted) -> None:
        entries = list(script)
        requests: list[list[BaseMessage]] = []
        lock = Lock()

        def speak(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
            with lock:
                requests.append(list(messages))
                asked = len(requests)
            if asked > len(entries):
                raise AssertionError(f"the script has {len(entries)} entries and was asked for one more")
            entry = entries[asked - 1]
            if callable(entry):
                entry = entry(messages, tools)
            if isinstance(entry, Exception):
                raise entry
            return AIMessage(entry) if isinstance(entry, str) else entry.model_copy(deep=True)

        super().__init__(function=speak, model_name="scripted", disable_streaming=False)
        self._requests = requests
        self._entries = entries

    _requests: list[list[BaseMessage]]
    _entries: list[Scripted]

    @property
    def requests(self) -> list[list[BaseMessage]]:
        """What was sent, a list of messages per request."""
        return self._requests

    def assert_complete(self) -> None:
        """Raise AssertionError when the script was not used up, or more was asked for."""
        if len(self._requests) != len(self._entries):
            raise AssertionError(f"{len(self._requests)} of {len(self._entries)} scripted messages were asked for")
