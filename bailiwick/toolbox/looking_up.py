"""Finding out whether a write of unknown outcome happened, by the read tool that its policy names.

The lookup is given the call's own arguments that it has parameters for, and ``idempotency_key`` where it has such a
parameter, and answers with a JSON object: ``{"happened": true, "result": …}``, with what the write would have given, or
``{"happened": false}``. Anything else, and every failure, is no answer: then a person is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from bailiwick.gate import Allow, Call, Context, decide
from bailiwick.sandbox import Result
from bailiwick.toolbox.record import CallRecord
from bailiwick.toolbox.registered import RegisteredTool
from bailiwick.toolbox.running import Running
from bailiwick.tracing import conventions as words
from bailiwick.tracing import span

__all__ = ["Found", "LookingUp"]


@dataclass(frozen=True, kw_only=True)
class Found:
    """It is known now. ``result`` is what the call gave; None: it did not happen."""

    result: Result | None


@dataclass(frozen=True, kw_only=True)
class LookingUp:
    """Runs lookups as the calls they are: decided by their own policy, in their own container."""

    tools: Mapping[str, RegisteredTool]
    running: Running

    async def look(self, name: str, call: Call, key: str, context: Context) -> Found | None:
        """Whether ``call`` happened; None: it could not be found out."""
        tool = self.tools.get(name)
        if tool is None or tool.policy.policy.effect != "read":
            return None
        known: Mapping[str, Any] = {**call.args, "idempotency_key": key}
        takes = cast("Mapping[str, Any]", tool.definition.parameters.get("properties") or {})
        args = {each: known[each] for each in takes if each in known}
        looking = Call(id=f"{call.id}/lookup", tool=name, agent=call.agent, args=args)
        attributes = words.tool_call(tool=name, call_id=looking.id, agent=looking.agent, arguments=args)
        with span(f"execute_tool {name}", "TOOL", attributes) as opened:
            verdict = decide(looking, tool.policy, context)
            if not isinstance(verdict, Allow):
                opened.fail("denied", verdict.reason)
                return None
            record = CallRecord(id=looking.id, tool=name, agent=looking.agent, args=args, decision="allow")
            told = await self.running.run(looking, tool, f"{key}/lookup", key, record, context)
            opened.set(words.tool_outcome(told.text, told.record.outcome, "allow", trust=told.record.trust))
            if not told.record.ok:
                opened.fail(told.record.error_type, told.record.error)
                return None
        match told.value:
            case {"happened": True, **rest}:
                result = Result(cause="ok", value=rest.get("result"), sandbox=told.record.sandbox)
                return Found(result=result)
            case {"happened": False}:
                return Found(result=None)
            case _:
                return None
