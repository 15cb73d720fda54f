"""Questions to a person, in the shape of LangChain's human-in-the-loop middleware, and what counts as an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, cast

from langchain.agents.middleware.human_in_the_loop import ActionRequest, HITLRequest, ReviewConfig

from bailiwick.gate import Ask, Call

__all__ = [
    "Answer",
    "approval_request",
    "meant_for_another",
    "question_digest",
    "read_answer",
    "unknown_outcome_request",
    "unsettled_request",
]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a person decided. ``by`` is empty when the application did not say who it was."""

    decision: Literal["approve", "reject"]
    by: str = ""
    message: str = ""
    at: str = ""
    """When it was first read, ISO 8601. Empty: it is not kept."""


def approval_request(call: Call, verdict: Ask) -> HITLRequest:
    """One question about one call, with who may answer it. Arguments the policy wants shown come first."""
    shown = {name: call.args[name] for name in verdict.approval.show if name in call.args}
    who = f" ({' or '.join(verdict.approval.by)} may approve)" if verdict.approval.by else ""
    more = ". A yes also vouches for the other values of the same result" if verdict.approval.bind == "values" else ""
    return _request(call, {**shown, **call.args}, verdict.reason + who + more)


def unknown_outcome_request(call: Call, begun: str) -> HITLRequest:
    """Whether a call that was begun and never came back should be run again."""
    text = (
        f"{call.tool} was begun at {begun} and never came back: its effect may or may not have happened. "
        "Look first. Approve to run it again; reject to leave it, with a message that says what you found."
    )
    return _request(call, dict(call.args), text)


def unsettled_request(call: Call, begun: str) -> HITLRequest:
    """Whether a call may run although an earlier one of the same tool may have had its effect already."""
    text = (
        f"An earlier call of {call.tool} in this conversation was begun at {begun} and never came back: its effect may "
        "or may not have happened. Look first. Approve to run this one, reject to leave it."
    )
    return _request(call, dict(call.args), text)


def question_digest(question: object) -> str:
    """What tells a question from others, those of the same call included: 8 hex digits."""
    return sha256(json.dumps(question, sort_keys=True, default=str).encode()).hexdigest()[:8]


def meant_for_another(resumed: object, question: HITLRequest) -> bool:
    """Whether an answer says that it is one to another question; one that says nothing may be for any."""
    decisions = _list(_mapping(resumed).get("decisions"))
    meant = _mapping(decisions[0] if len(decisions) == 1 else None).get("question")
    return meant is not None and meant != question_digest(question)


def read_answer(resumed: object, by: Sequence[str]) -> Answer:
    """Read ``{"decisions": [{"type": "approve" | "reject", "message"?, "by"?}]}``, the answer of one of ``by``.

    ``by`` in the answer is bound by the application: ``{"user_id", "roles"}``. An approval that nobody entitled gave
    is a rejection, and so is everything that cannot be read: what is not clearly a yes is a no.
    """
    decisions = _list(_mapping(resumed).get("decisions"))
    # One question, one decision: several are an answer to something else.
    first = _mapping(decisions[0] if len(decisions) == 1 else None)
    person = _mapping(first.get("by"))
    name = str(person.get("user_id") or "")
    message = str(first.get("message") or "")
    if first.get("type") != "approve":
        return Answer(decision="reject", by=name, message=message)
    held = [f"role:{role}" for role in _list(person.get("roles"))]
    if name:
        held.append(f"user:{name}")
    if by and not set(held) & set(by):
        return Answer(decision="reject", by=name, message=f"only {' or '.join(by)} may approve this")
    return Answer(decision="approve", by=name, message=message)


def _request(call: Call, args: dict[str, Any], description: str) -> HITLRequest:
    return HITLRequest(
        action_requests=[ActionRequest(name=call.tool, args=args, description=description)],
        review_configs=[ReviewConfig(action_name=call.tool, allowed_decisions=["approve", "reject"])],
    )


def _list(value: object) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
