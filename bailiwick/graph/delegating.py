"""A supervisor and its specialists: work is handed over, authority is not.

A specialist is an agent of its own: its calls are made in its name, of its tools only, under the same session and in
the same thread, so that taint, limits and what came before count over the whole conversation. What the supervisor
writes as a task is the model's word: it travels as a call of a tool and never as something the customer said.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AnyMessage, ToolCall, ToolMessage
from langchain_core.runnables import Runnable
from langgraph.graph import END
from langgraph.runtime import Runtime
from langgraph.types import Send

from bailiwick.errors import ConfigError
from bailiwick.graph.errands import Errands
from bailiwick.graph.nodes import Nodes
from bailiwick.graph.requests import requests_made
from bailiwick.graph.state import Given
from bailiwick.toolbox import Session, pending_calls

__all__ = ["Delegating", "Specialist"]

HAND_OVER = "hand_over"
_ERRANDS = Errands(name=HAND_OVER)
_TASK = """{to} has this now. The task: {task}

Do it with your own tools. When it is done or cannot be, say what you did, found and did not do: your words go to \
{supervisor}, who answers the customer."""
_NO_ROOM = "Not handed over: the requests that this turn may make are used up. Answer with what there is."


@dataclass(frozen=True, kw_only=True)
class Delegating:
    """A supervisor's nodes. ``supervise`` answers or hands work over, ``delegate`` takes it to a specialist and back.

    Hand-overs of one message are done one after the other. The turn's ``max_steps`` count over all of them together.
    Raises ConfigError when the agent has no specialists, or names one as the graph names its own nodes.
    """

    nodes: Nodes

    def __post_init__(self) -> None:
        agent = self.nodes.agent
        if not self.nodes.specialists:
            raise ConfigError(
                f"the graph of {agent!r} hands work over, and the agent has no specialists",
                key="specialists",
                fix='name other agents of the project: Agent(specialists=("refunds", "orders"), ...)',
            )
        if HAND_OVER in (self.nodes.tools.offered or ()):
            raise ConfigError(
                f"the tool {HAND_OVER!r} of {agent!r} has the name by which a supervisor hands work over",
                key="tools",
                fix="give the tool another name",
            )

    @property
    def specialists(self) -> Mapping[str, Specialist]:
        return {
            name: Specialist(
                name=name,
                supervisor=self.nodes.agent,
                # One request is kept for the supervisor, which has the last word.
                nodes=replace(nodes, max_steps=self.nodes.max_steps - 1, act_name=f"{name}_act"),
            )
            for name, nodes in self.nodes.specialists.items()
        }

    async def supervise(self, state: Given, runtime: Runtime[Session]) -> dict[str, Any]:
        """Ask the supervisor's model, which sees of each hand-over what the specialist reported."""
        nodes = replace(self.nodes, own_tools=(*self.nodes.own_tools, self._hand_over()))
        return await nodes.think_of(_ERRANDS.outside(state["messages"]), state, runtime)

    def after_supervise(self, state: Given) -> Sequence[Hashable]:
        """Calls of the supervisor's own tools to ``act``, else hand-overs to ``delegate``, else ``END``."""
        pending = pending_calls(state)
        own = [call for call in pending if call["name"] != HAND_OVER]
        sends = [Send(self.nodes.act_name, [{**call, "type": "tool_call"}]) for call in own]
        return sends or (["delegate"] if pending else [END])

    async def delegate(self, state: Given) -> dict[str, Any]:
        """Bring back the report of the specialist that is done, and say no to hand-overs that cannot be."""
        messages, ended = list(state["messages"]), list[ToolMessage]()
        while (call := _ERRANDS.open(messages)) is not None:
            report = _ERRANDS.report(messages)
            problem = self._problem(call, state) if report is None else ""
            if report is None and not problem:
                break
            result = _ERRANDS.result(call, report or problem or "It said nothing.", failed=bool(problem))
            messages.append(result)
            ended.append(result)
        return {"messages": ended} if ended else {}

    def after_delegate(self, state: Given) -> str:
        """The specialist whose work it is, or ``supervise``."""
        call = _ERRANDS.open(state["messages"])
        return "supervise" if call is None or self._problem(call, state) else str(call["args"]["to"])

    def _problem(self, call: ToolCall, state: Given) -> str:
        """Why the hand-over cannot be, for the model. Empty: it can."""
        to, task = call["args"].get("to"), call["args"].get("task")
        if to not in self.nodes.specialists:
            return f"There is no specialist {to!r}. Specialists here: {', '.join(sorted(self.nodes.specialists))}."
        if not isinstance(task, str) or not task.strip():
            return "The task is empty. Say in words what is to be done."
        # The specialist's own request, and the supervisor's after it.
        return "" if requests_made(state) + 2 <= self.nodes.max_steps else _NO_ROOM

    def _hand_over(self) -> dict[str, Any]:
        purposes = "; ".join(f"{name}: {each.purpose or name}" for name, each in self.nodes.specialists.items())
        parameters = {
            "type": "object",
            "properties": {
                "to": {"type": "string", "enum": list(self.nodes.specialists)},
                "task": {"type": "string", "description": "What is to be done, with all that is needed to do it."},
            },
            "required": ["to", "task"],
        }
        described = f"Hand work to a specialist, who has tools that you have not, and get its report. {purposes}"
        return {
            "type": "function",
            "function": {"name": HAND_OVER, "description": described, "parameters": parameters},
        }


@dataclass(frozen=True, kw_only=True)
class Specialist:
    """One specialist's nodes: ``think`` sees the conversation and its task, ``act`` runs its calls in its own name."""

    name: str
    supervisor: str
    nodes: Nodes

    @property
    def act_name(self) -> str:
        return self.nodes.act_name

    @property
    def act(self) -> Runnable[Any, Any]:
        return self.nodes.act

    async def think(self, state: Given, runtime: Runtime[Session]) -> dict[str, Any]:
        """Ask the specialist's model. What it says is a report to the supervisor and no answer yet."""
        seen = _ERRANDS.inside(state["messages"], self._task(state["messages"]))
        thought = await self.nodes.think_of(seen, state, runtime, aloud=False)
        return {"messages": thought["messages"]}

    def after_think(self, state: Given) -> Sequence[Hashable]:
        """One ``Send`` to the specialist's own ``act`` per pending call, else ``delegate``."""
        going = self.nodes.after_think(state)
        return ["delegate"] if going == [END] else going

    def _task(self, messages: Sequence[AnyMessage]) -> str:
        call = _ERRANDS.open(messages)
        task = "" if call is None else str(call["args"].get("task"))
        return _TASK.format(to=self.name, task=task, supervisor=self.supervisor)
