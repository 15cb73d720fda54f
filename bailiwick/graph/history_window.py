"""As much of a long conversation as the model takes, cut between two turns, and a note on what the rest came to.

Only what is sent is cut: the checkpoint keeps every message and the ledger every call, so that a policy knows of an
approval, an earlier call or an untrusted page after the model has forgotten them. LangChain's ``trim_messages`` cuts
by the same measure but knows nothing of calls, and a model that no longer sees that it made a refund offers another.
"""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, ToolMessage

from bailiwick.models import surely_within, tokens_of, window_size
from bailiwick.toolbox import record_of

__all__ = ["window_of", "within"]

SHARE = 0.75
"""Of the window for the conversation; the rest is for instructions, passages, tools and the answer."""
CALLS_TOLD = 40
"""Calls that the note names, the last ones."""


def window_of(model: BaseChatModel) -> int:
    """Tokens of conversation that a prompt to ``model`` may hold."""
    return int(SHARE * window_size(model))


def within(messages: Sequence[BaseMessage], tokens: int) -> tuple[list[BaseMessage], str]:
    """The last turns of ``messages`` that fit into ``tokens``, and what to say of those before; empty: all fit.

    The last turn is kept whatever its size.
    """
    if surely_within(messages, tokens):
        return list(messages), ""
    starts = [at for at, message in enumerate(messages) if message.type == "human"]
    left, first = tokens, starts[-1] if starts else 0
    ends = len(messages)
    for at in reversed(starts):
        left -= tokens_of(messages[at:ends])
        if left < 0 and ends != len(messages):
            break
        first, ends = at, at
    return list(messages[first:]), _told(messages[:first]) if first else ""


def _told(left_out: Sequence[BaseMessage]) -> str:
    said = [f"[The first {len(left_out)} messages of this conversation are left out here."]
    records = [record for each in left_out if isinstance(each, ToolMessage) and (record := record_of(each))]
    if records:
        said.append("Calls made in them, which count as made:")
        if len(records) > CALLS_TOLD:
            said.append(f"- {len(records) - CALLS_TOLD} earlier ones")
        for record in records[-CALLS_TOLD:]:
            args = ", ".join(f"{name}={_short(value)}" for name, value in record.args.items())
            approved = f", approved by {record.approved_by}" if record.approved_by else ""
            said.append(f"- {record.tool}({args}): {record.outcome}{approved}")
    return "\n".join(said) + "]"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
