"""Calls of one tool that were seen, each with what the gate knew then, and what they share beside arguments."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bailiwick.gate import Allow, Context
from bailiwick.gate.json_value import equal
from bailiwick.policy import LoadedPolicy
from bailiwick.replay.circumstances import Circumstances, in_order
from bailiwick.replay.recorded import BEFORE, Conversation, RecordedCall

__all__ = ["Seen", "calls_of", "most_in_a_conversation", "seen_before"]

_ENOUGH = 3
"""Calls that it takes to call it a rule that another came before; of fewer it says nothing."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A call as it happened."""

    call: RecordedCall
    context: Context
    conversation: Conversation

    @property
    def traceable(self) -> bool:
        """Whether everything that entered the conversation before it is recorded."""
        return not self.conversation.missing


def calls_of(tool: str, conversations: Sequence[Conversation], policies: Mapping[str, LoadedPolicy]) -> list[Seen]:
    """The calls of ``tool`` in order of time. ``policies`` say what results of tools are worth."""
    circumstances = Circumstances(policies=policies)
    found: list[Seen] = []
    for conversation, call in in_order(conversations):
        context = circumstances.context(conversation, call)
        circumstances.took_place(conversation, call, Allow(rule="", reason="it was recorded"), context)
        if call.tool == tool:
            found.append(Seen(call=call, context=context, conversation=conversation))
    return found


def seen_before(seen: Sequence[Seen], tools: Collection[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Other tools, of ``tools``, that had always succeeded before, and arguments that were always the same then."""
    if len(seen) < _ENOUGH:
        return
    for tool in sorted(tools):
        if tool == seen[0].call.tool:
            continue
        alike = [
            [
                {
                    name
                    for name, value in past.args.items()
                    if name in each.call.args and equal(value, each.call.args[name])
                }
                for past in each.context.past
                if past.tool == tool and past.ok
            ]
            for each in seen
        ]
        if all(alike):
            same: set[str] = set()
            for name in dict.fromkeys(name for several in alike for names in several for name in sorted(names)):
                # One and the same earlier call has to have them all.
                if all(any(same | {name} <= names for names in several) for several in alike):
                    same.add(name)
            yield tool, tuple(sorted(same))


def most_in_a_conversation(seen: Sequence[Seen]) -> tuple[int, list[Seen]] | None:
    """The most of ``seen`` in one conversation, and which; None where the record does not hold whole conversations."""
    by_thread: dict[str, list[Seen]] = {}
    for each in seen:
        if not each.conversation.named or BEFORE in each.conversation.missing:
            return None
        by_thread.setdefault(each.conversation.thread, []).append(each)
    most = max(by_thread.values(), key=len)
    return len(most), most
