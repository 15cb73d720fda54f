"""A conversation handed to a person, whose words become the answer.

The question is put as LangChain's human-in-the-loop middleware puts its own, so that the same programs can answer it:
``{"type": "respond", "message": "…", "by": {"user_id", "roles"}}``, or ``reject`` to leave it to the agent.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast

from langchain.agents.middleware.human_in_the_loop import ActionRequest, HITLRequest, ReviewConfig
from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langgraph.config import get_config
from langgraph.graph import END
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from bailiwick.graph.nodes import Nodes
from bailiwick.graph.prompt import last_question
from bailiwick.graph.requests import question_key
from bailiwick.graph.state import Answer, Given, HandedOver
from bailiwick.toolbox import Session, pending_calls
from bailiwick.tracing import span

__all__ = ["HandingOver"]

CALL_A_PERSON = "call_a_person"
_CHECKPOINTER = "__pregel_checkpointer"
"""Where LangGraph puts the checkpointer of a run; it has no public name."""
_SCHEMA = {
    "type": "function",
    "function": {
        "name": CALL_A_PERSON,
        "description": "Let a person answer the customer in your place, when they ask for one or you cannot help.",
        "parameters": {
            "type": "object",
            "properties": {"reason": {"type": "string", "description": "Why a person should answer."}},
            "required": ["reason"],
        },
    },
}


@dataclass(frozen=True, kw_only=True)
class HandingOver:
    """``think`` may call for a person; ``hand_over`` waits for one. Empty ``by``: whoever can answer may.

    ``by`` holds ``user:ID`` and ``role:NAME``. What has no words, or comes from somebody else, is no answer, and the
    question is put again.
    """

    nodes: Nodes
    by: tuple[str, ...] = ()

    async def think(self, state: Given, runtime: Runtime[Session]) -> dict[str, Any]:
        """As ``Nodes.think``, where the model can also call for a person."""
        nodes = replace(self.nodes, own_tools=(*self.nodes.own_tools, _SCHEMA))
        return await nodes.think(state, runtime)

    def after_think(self, state: Given) -> Sequence[Hashable]:
        """``hand_over`` where a person is called for, whatever else is; else as ``Nodes.after_think``."""
        called = any(call["name"] == CALL_A_PERSON for call in pending_calls(state))
        return ["hand_over"] if called else self.nodes.after_think(state)

    async def hand_over(self, state: Given) -> dict[str, Any]:
        """Wait for a person's words, which are the answer; a no goes back to the model."""
        pending = pending_calls(state)
        call = next(call for call in pending if call["name"] == CALL_A_PERSON)
        others = [_told(each, "Not run, since a person was called for.") for each in pending if each is not call]
        configurable = get_config().get("configurable", {})
        if not (configurable.get("thread_id") and configurable.get(_CHECKPOINTER)):
            # Without a checkpointer the question would be lost with the run.
            return {"messages": [*others, _told(call, "No person can be asked here. Answer yourself, and say so.")]}
        reason = str(call["args"].get("reason") or "")
        decision = self._wait(last_question(state["messages"]), reason)
        if decision["type"] == "reject":
            text = f"No person takes this over. {decision['message']}".strip()
            return {"messages": [*others, _told(call, f"{text} Answer yourself, and say so.")]}
        text, name, at = decision["message"], decision["by"], datetime.now(UTC).isoformat(timespec="seconds")
        with span("hand_over", "CHAIN") as opened:
            opened.set({"bailiwick.answered_by": name or None, "bailiwick.answered_at": at})
        said = AIMessage(text, name=self.nodes.agent, response_metadata={"answered_by": name, "answered_at": at})
        handed = HandedOver(question=question_key(state["messages"]), by=name, at=at, reason=reason)
        return {
            "messages": [*others, _told(call, "A person answers.", failed=False), said],
            "answer": Answer(text=text, citations=[], outcome="answered"),
            "handed_over": handed,
        }

    def after_hand_over(self, state: Given) -> str:
        """``END`` after a person's words, ``think`` after a no."""
        return "think" if isinstance(state["messages"][-1], ToolMessage) else END

    def _wait(self, question: str, reason: str) -> dict[str, str]:
        problem = ""
        while True:
            decision = self._read(interrupt(_request(question, reason, self.by, problem)))
            if not (problem := decision["problem"]):
                return decision

    def _read(self, resumed: object) -> dict[str, str]:
        decisions = _mapping(resumed).get("decisions")
        given = cast("list[object]", decisions) if isinstance(decisions, list) else []
        # One question, one decision: several are an answer to something else.
        first = _mapping(given[0] if len(given) == 1 else None)
        person = _mapping(first.get("by"))
        name, roles = str(person.get("user_id") or ""), person.get("roles")
        held = {f"role:{role}" for role in cast("Sequence[object]", roles if isinstance(roles, (list, tuple)) else ())}
        if name:
            held.add(f"user:{name}")
        message = first.get("message")
        kind, words = first.get("type"), message.strip() if isinstance(message, str) else ""
        problem = ""
        if self.by and not held & set(self.by):
            problem = f"only {' or '.join(self.by)} may answer"
        elif kind != "reject" and (kind != "respond" or not words):
            problem = "the answer had no words"
        return {"type": "reject" if kind == "reject" else "respond", "message": words, "by": name, "problem": problem}


def _request(question: str, reason: str, by: Sequence[str], problem: str) -> HITLRequest:
    who = f" ({' or '.join(by)} may answer)" if by else ""
    again = f"; asked again, since {problem}" if problem else ""
    allowed: list[Literal["approve", "edit", "reject", "respond"]] = ["respond", "reject"]
    return HITLRequest(
        action_requests=[
            ActionRequest(
                name=CALL_A_PERSON,
                args={"question": question, "reason": reason},
                description=f"the customer is to be answered by a person{who}{again}",
            )
        ],
        review_configs=[ReviewConfig(action_name=CALL_A_PERSON, allowed_decisions=allowed)],
    )


def _told(call: ToolCall, text: str, *, failed: bool = True) -> ToolMessage:
    status: Literal["error", "success"] = "error" if failed else "success"
    return ToolMessage(text, tool_call_id=call["id"] or "", name=call["name"], status=status)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
