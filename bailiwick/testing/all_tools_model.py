"""A model for smoke tests: it calls every tool that it is offered once, with arguments that the tool's schema takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from bailiwick.models import FunctionModel
from bailiwick.testing.example_value import example_value

__all__ = ["AllToolsModel"]


class AllToolsModel(FunctionModel):
    """Each tool in a request of its own, or all in the first with ``at_once``; then it tells what came back.

    ``arguments`` are given to the tools of those names in place of made-up ones, or of some of them:
    ``{"refund_order": {"order_id": "O-1"}}``. It keeps nothing, so that it goes on after a crash and a resume.
    """

    def __init__(self, *, arguments: Mapping[str, Mapping[str, Any]] | None = None, at_once: bool = False) -> None:
        own = {name: dict(given) for name, given in (arguments or {}).items()}

        def speak(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
            turn = _since_the_question(messages)
            called = {call["name"] for each in turn if isinstance(each, AIMessage) for call in each.tool_calls}
            left = [tool for tool in tools if tool["name"] not in called]
            if not left:
                told = [f"{each.name}: {each.text}" for each in turn if each.type == "tool"]
                return AIMessage("\n".join(told) or "There is no tool to call.")
            wanted = left if at_once else left[:1]
            return AIMessage("", tool_calls=[_call(tool, own.get(tool["name"], {}), messages) for tool in wanted])

        super().__init__(function=speak, model_name="all-tools")


def _since_the_question(messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    asked = [at for at, message in enumerate(messages) if message.type == "human"]
    return messages[asked[-1] :] if asked else messages


def _call(tool: Mapping[str, Any], own: Mapping[str, Any], messages: Sequence[BaseMessage]) -> Any:
    made: dict[str, Any] = example_value(tool.get("parameters") or {"type": "object"})
    return {
        "name": tool["name"],
        "args": {**made, **own},
        "id": f"call-{len(messages)}-{tool['name']}",
        "type": "tool_call",
    }
