"""What entered a conversation, and what a result is worth: ``Origins`` from what LangGraph and the ledger keep.

Everything is read off what is checkpointed (messages, passages) and off the ledger, so that it is the same after a
resume as before. Where there is a ledger, only results that it knows count: messages may come from a client.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, ToolMessage

from bailiwick.gate import Call, Context, Origins, Source, leaves, result_sources
from bailiwick.ledger import Happened
from bailiwick.policy import Output, Policy
from bailiwick.toolbox.record import VALUE, CallRecord, record_of

__all__ = ["origins_of", "traces", "worth"]

_UNKNOWN = Output()
"""What the results of a tool are worth that has no policy any more: nothing."""


def traces(policy: Policy) -> bool:
    """Whether anything in ``policy`` needs to know where values come from."""
    return policy.output.trust == "inherit" or any(
        arg.accepted is not None or arg.accepted_links is not None or arg.without
        for rule in policy.rules
        for arg in rule.args.values()
    )


def origins_of(
    messages: Sequence[BaseMessage],
    *,
    instructions: str = "",
    session: Mapping[str, Any],
    passages: Iterable[Mapping[str, Any]] = (),
    happened: Sequence[Happened] | None,
    outputs: Mapping[str, Output],
) -> Origins:
    """All that entered the conversation. ``happened`` None: no ledger knows it, and results are those in messages.

    ``outputs`` are the policies' words on each tool's results; a tool that is not there gives untrusted ones.
    """
    return Origins(
        [
            *_operator(messages, instructions, session),
            *(Source(label="knowledge", values=tuple(leaves(dict(passage)))) for passage in passages),
            *_said(messages),
            *(_in_messages(messages, outputs) if happened is None else _in_ledger(happened, outputs)),
        ]
    )


def worth(policy: Policy, call: Call, context: Context, value: Any) -> Literal["trusted", "mixed", "untrusted"]:
    """What the result ``value`` of ``call`` is worth.

    With ``inherit`` a result is untrusted where an argument may come from what the conversation read outside.
    """
    trust = policy.output.trust
    if trust == "inherit":
        trusted = {source.label for source in context.origins.sources if not source.label.startswith("untrusted:")}
        clean = not context.untrusted or context.origins.foreign(list(call.args.values()), trusted) is None
        trust = "trusted" if clean else "untrusted"
    if trust == "untrusted" or not policy.output.untrusted_fields:
        return trust
    labels = {
        source.label.partition(":")[0]
        for source in result_sources(call.tool, value, trust=trust, untrusted_fields=policy.output.untrusted_fields)
    }
    return "trusted" if "untrusted" not in labels else "mixed" if isinstance(value, (dict, list)) else "untrusted"


def _operator(messages: Sequence[BaseMessage], instructions: str, session: Mapping[str, Any]) -> Iterator[Source]:
    texts = [instructions, *(message.text for message in messages if isinstance(message, SystemMessage))]
    yield Source(label="operator", values=(*filter(None, texts), *leaves(dict(session))))


def _said(messages: Sequence[BaseMessage]) -> Iterator[Source]:
    for message in messages:
        # LangChain's summaries of a conversation come as if a person had said them.
        if isinstance(message, HumanMessage) and not message.additional_kwargs.get("lc_source"):
            yield Source(label="user", values=(message.text,))


def _in_messages(messages: Sequence[BaseMessage], outputs: Mapping[str, Output]) -> Iterator[Source]:
    for message in messages:
        if not isinstance(message, ToolMessage):
            continue
        record = record_of(message)
        if record is None:
            # Another's tool: nobody has said what it is worth.
            yield from result_sources(message.name or "unknown", message.text, trust="untrusted")
        else:
            value = message.artifact.get(VALUE) if record.ok else message.text
            yield from _of(record, value, outputs)


def _in_ledger(happened: Sequence[Happened], outputs: Mapping[str, Output]) -> Iterator[Source]:
    for each in happened:
        if each.result is not None:
            record = CallRecord.from_dict(each.result["record"])
            value = each.result.get(VALUE, each.result["text"]) if record.ok else record.error
            yield from _of(record, value, outputs)


def _of(record: CallRecord, value: Any, outputs: Mapping[str, Output]) -> Iterator[Source]:
    output = outputs.get(record.tool, _UNKNOWN)
    if not record.ok:
        # What a failure says may quote what the tool had read.
        yield from result_sources(record.tool, value, trust="untrusted")
        return
    # Untrusted is what either its policy of then or that of now says is.
    trust = "untrusted" if record.trust == "untrusted" or output.trust == "untrusted" else "trusted"
    yield from result_sources(
        record.tool,
        value,
        trust=trust,
        untrusted_fields=output.untrusted_fields,
        labels=output.labels,
        made_from=record.args if output.trust == "inherit" else None,
    )
