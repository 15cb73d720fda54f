"""The shipped nodes: retrieve, think, act. Bound to one agent's parts, they go into any LangGraph graph."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, overload

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolMessage
from langchain_core.runnables import Runnable
from langgraph.config import get_config, get_stream_writer
from langgraph.graph import END
from langgraph.runtime import Runtime
from langgraph.types import Send

from bailiwick.errors import ConfigError, RetrievalUnavailable
from bailiwick.graph.citations import cited_passages
from bailiwick.graph.history_window import window_of
from bailiwick.graph.prompt import build_prompt, last_question
from bailiwick.graph.requests import requests_made
from bailiwick.graph.state import Answer, Given
from bailiwick.graph.unheard import unheard
from bailiwick.models import ModelAnswer, ModelGuards, ModelLimits, Models, Tried, model_name, request_answer
from bailiwick.prompts import PromptInForce, PromptVersion, unnumbered
from bailiwick.resilience import require, seconds_left
from bailiwick.retrieval import Knowledge
from bailiwick.toolbox import AgentTools, Offer, Session, pending_calls, session_values, tell, tool_node
from bailiwick.tracing import conventions as words
from bailiwick.tracing import span

__all__ = ["Nodes"]

SEARCH_SECONDS = 2.0
PASSAGES = 4


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """An agent's nodes. ``knowledge`` None: retrieve finds nothing. Empty ``tools``: think offers none.

    ``retrieve`` and ``think`` read and write ``State``; ``act`` is LangGraph's ToolNode behind the toolbox, one task
    per call (``Send``); ``after_think`` routes to ``act`` or ``END`` and knows no third way.
    """

    agent: str
    model: BaseChatModel
    instructions: str
    tools: AgentTools
    knowledge: Knowledge | None = None
    max_steps: int = 8
    """Model requests in one turn; the turn then ends with what it has."""
    act_name: str = "act"
    """The name that the graph gives to ``act``."""
    own_tools: tuple[dict[str, Any], ...] = ()
    """Schemas of what the graph itself answers, such as a hand-over; no tool of the toolbox. Empty: nothing."""
    specialists: Mapping[str, Nodes] = field(default_factory=dict[str, "Nodes"])
    """The nodes of the agents that this one may hand work to, by name. Empty: none."""
    prompt: PromptInForce | None = None
    """What ``instructions`` became, where they are kept and may be rolled back; None: they are what they are."""
    fallbacks: tuple[BaseChatModel, ...] = ()
    """Asked in order when ``model`` gives no answer. Empty: nobody else is."""
    limits: ModelLimits = field(default_factory=ModelLimits)
    guards: ModelGuards = field(default_factory=ModelGuards)
    """What the requests of this process to one model share; nodes of several agents are given the same."""
    purpose: str = ""
    """What the agent is for, in a line that is told to a model which may hand work to it. Empty: its name says it."""

    async def retrieve(self, state: Given, runtime: Runtime[Session]) -> dict[str, Any]:
        """Find passages for the last question. Nothing relevant, or a search that failed, is an empty list.

        A session with a value ``tenant`` finds what belongs to that tenant, and nothing else.
        """
        question = last_question(state["messages"])
        knowledge = await self._knowledge_of(session_values(runtime.context).get("tenant"))
        if knowledge is None or not question:
            return {"passages": [], "retrieval": {"mode": "none", "degraded": []}, "answer": {}}
        with span("retrieve", "CHAIN"):
            try:
                found = await knowledge.search(question, k=PASSAGES, timeout=seconds_left(SEARCH_SECONDS))
            except RetrievalUnavailable as error:
                retrieval = {"mode": "none", "degraded": [error.message]}
                passages: list[dict[str, Any]] = []
            else:
                retrieval = {"mode": found.mode, "degraded": list(found.degraded)}
                passages = [passage.as_dict() for passage in found.passages] if found.relevant else []
        tell(get_stream_writer(), {"passages": passages, "retrieval": retrieval})
        return {"passages": passages, "retrieval": retrieval, "answer": {}}

    async def _knowledge_of(self, tenant: object) -> Knowledge | None:
        """What the speaker may be told of. Raises InputRefused for a tenant that is none."""
        if self.knowledge is None or tenant is None:
            return self.knowledge
        return await asyncio.to_thread(self.knowledge.for_tenant, str(tenant))

    async def think(self, state: Given, runtime: Runtime[Session]) -> dict[str, Any]:
        """Ask the model for its next calls or its answer, which is put together with the passages that it cites.

        Raises ModelError, DeadlineExceeded.
        """
        return await self.think_of(state["messages"], state, runtime)

    async def think_of(
        self, seen: Sequence[AnyMessage], state: Given, runtime: Runtime[Session], *, aloud: bool = True
    ) -> dict[str, Any]:
        """As ``think``, where the model sees only ``seen`` of the conversation. ``aloud`` as in ``ask``."""
        speaker = str(session_values(runtime.context).get("user_id") or "")
        given_up = await self._given_up(state["messages"])
        seen = [*seen, *given_up]
        passages, window = state.get("passages", []), window_of(self.model)
        version = unnumbered(self.agent, self.instructions) if self.prompt is None else await self.prompt.look()
        prompt = build_prompt(version.text, passages, seen, speaker=speaker, window=window)
        steps = requests_made(state) + 1
        # The last request of a turn offers no tools, so that it can only be answered in words.
        schemas = [*self.tools.schemas(state), *self.own_tools] if steps < self.max_steps else []
        with span("think", "CHAIN") as thinking:
            message = await self.ask(prompt, schemas, aloud=aloud, of=version)
            told = None if message.tool_calls else self._answer(message, state, steps)
            if told is not None:
                thinking.set({"bailiwick.citations": len(told["citations"])})
        update: dict[str, Any] = {"messages": [*given_up, message.model_copy(update={"name": self.agent})]}
        if told is not None or state.get("answer"):
            update["answer"] = told or {}  # what the turn before answered is no answer to this one
        return update

    async def ask(
        self,
        prompt: Sequence[BaseMessage],
        tools: Sequence[dict[str, Any]] = (),
        *,
        aloud: bool = True,
        of: PromptVersion | None = None,
    ) -> AIMessage:
        """One request to the model under its span, for every node that makes one. Empty ``tools``: it can only speak.

        ``of`` is the version of the prompt, for the span; None: the first message is all that is known of it.
        Not ``aloud``: its words are not for the customer and are left out of the stream. Raises ModelError,
        DeadlineExceeded.
        """
        require("the model")
        name = model_name(self.model)
        with (
            nullcontext() if aloud else unheard(),
            span(f"chat {name}", "LLM", words.model_request(name, _Plain(prompt))) as opened,
        ):
            of = of or unnumbered(self.agent, prompt[0].text if prompt else "")
            opened.set(words.prompt_version(of.name, of.number, of.digest, of.label))
            tried: list[Tried] = []
            try:
                answer = await request_answer(
                    self._models, prompt, tools, tried=tried, broken_off=_tell_broken_off if aloud else _keep_quiet
                )
            finally:
                opened.set(words.model_tried([each.in_words() for each in tried], answered=_answered(tried)))
            message = answer.message
            opened.set(words.model_response(_plain(message), _usage(message), attempts=answer.attempts))
        return self._with_what_was_tried(answer)

    @property
    def _models(self) -> Models:
        return Models(model=self.model, fallbacks=self.fallbacks, limits=self.limits, guards=self.guards)

    def _with_what_was_tried(self, answer: ModelAnswer) -> AIMessage:
        """``response_metadata["bailiwick"]``: which model answered after what, unless it was asked once and did.

        ``notice`` is there when another than the agent's own answered: what it says of itself.
        """
        message = answer.message
        if len(answer.tried) == 1:
            return message
        told: dict[str, Any] = {"model": model_name(answer.model), "tried": [each.in_words() for each in answer.tried]}
        if answer.model is not self.model:
            told["notice"] = str(getattr(answer.model, "notice", ""))
        return message.model_copy(update={"response_metadata": {**message.response_metadata, "bailiwick": told}})

    def offering(self, *tools: str, when: Offer | None = None, act: str = "act") -> Nodes:
        """These nodes for a state of the graph that offers only some of the agent's tools.

        ``tools`` are offered always, and those that ``when(state)`` names besides. The model is told of no others, and
        a call of another is denied as not offered here. A graph whose states offer different tools gives each an
        ``act`` of its own, under the name ``act``. Nothing named: the state offers no tool. Raises ConfigError for a
        tool that the agent does not have.
        """
        have = self.tools.offered if self.tools.offered is not None else self.tools.toolbox.definitions.keys()
        if unknown := sorted(set(tools) - set(have)):
            raise ConfigError(
                f"the graph offers {unknown[0]!r}, which is none of {self.agent}'s tools ({', '.join(sorted(have))})",
                fix="correct the name, or add it to the agent's tools",
            )
        offer = self.tools.offer
        chosen = _Offered(always=frozenset(tools), when=when, within=offer)
        return replace(self, tools=replace(self.tools, offer=chosen), act_name=act)

    @property
    def act(self) -> Runnable[Any, Any]:
        """Run one call through the toolbox; reached by ``Send`` only."""
        return tool_node(self.tools, name=self.act_name)

    def after_think(self, state: Given) -> Sequence[Hashable]:
        """One ``Send`` to ``act`` per pending call, else ``END``."""
        return [Send(self.act_name, [{**call, "type": "tool_call"}]) for call in pending_calls(state)] or [END]

    async def _given_up(self, messages: Sequence[BaseMessage]) -> list[ToolMessage]:
        """What is known of calls that the turn before left without an answer, told once, in the first request."""
        thread = get_config().get("configurable", {}).get("thread_id")
        if not thread or messages[-1].type != "human":
            return []
        return await self.tools.toolbox.given_up(messages, thread=str(thread), agent=self.agent)

    def _answer(self, message: AIMessage, state: Given, steps: int) -> Answer:
        text = message.text
        limit = steps >= self.max_steps
        citations = cited_passages(text, state.get("passages") or [])
        return Answer(text=text, citations=citations, outcome="limit" if limit else "answered")


@dataclass(frozen=True, kw_only=True)
class _Offered:
    """Tools that a state offers; of those that an earlier ``offering`` left, where there was one."""

    always: frozenset[str]
    when: Offer | None
    within: Offer | None

    def __call__(self, state: Mapping[str, Any]) -> frozenset[str]:
        chosen = self.always | frozenset(self.when(state) if self.when is not None else ())
        return chosen if self.within is None else chosen & frozenset(self.within(state))


def _tell_broken_off(tried: Tried) -> None:
    tell(get_stream_writer(), {"broken_off": tried.in_words()})


def _keep_quiet(tried: Tried) -> None:
    """Of words that nobody is to hear nobody need hear that they broke off."""


def _answered(tried: Sequence[Tried]) -> str:
    return tried[-1].model if tried and not tried[-1].failure else ""


class _Plain(Sequence[dict[str, Any]]):
    """Messages as the tracing room takes them, made when they are looked at: of a long history it looks at few."""

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        self._messages = messages

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(at, slice):
            return [_plain(message) for message in self._messages[at]]
        return _plain(self._messages[at])


_ROLES = {"human": "user", "ai": "assistant"}


def _plain(message: BaseMessage) -> dict[str, Any]:
    """Role, content and tool calls as plain data."""
    return {
        "role": _ROLES.get(message.type, message.type),
        # ``.text`` makes an object of its own each time.
        "content": message.content if isinstance(message.content, str) else message.text,
        "tool_calls": [dict(call) for call in message.tool_calls] if isinstance(message, AIMessage) else [],
    }


def _usage(message: AIMessage) -> dict[str, int]:
    usage = message.usage_metadata
    if usage is None:
        return {}
    return {"input": usage["input_tokens"], "output": usage["output_tokens"]}
