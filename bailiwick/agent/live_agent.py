"""An agent at work: its compiled graph, and turns with their events, deadline and trace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Interrupt

from bailiwick.agent.declaration import Agent
from bailiwick.agent.events import Called, Event, Finished, Question, Retrieved, Token, Turn
from bailiwick.agent.question import check_question
from bailiwick.errors import BailiwickError, InputRefused
from bailiwick.graph import State
from bailiwick.resilience import deadline
from bailiwick.toolbox import CallRecord, Session, session_values
from bailiwick.tracing import ErrorPath, ErrorWatch, Span, span
from bailiwick.tracing import conventions as words

__all__ = ["LiveAgent"]


@dataclass(frozen=True, kw_only=True)
class LiveAgent:
    """A declared agent bound to its model, tools and checkpointer."""

    name: str
    declared: Agent
    graph: CompiledStateGraph[Any, Any, Any, Any]
    model: str
    notice: str = ""
    watch: ErrorWatch | None = None

    async def ask(self, question: str, *, thread: str, session: Session | None = None) -> Turn:
        """A whole turn. Raises InputRefused before anything is stored; every other failure is in the Turn."""
        return await _last(self.stream(question, thread=thread, session=session))

    async def resume(
        self, answers: Mapping[str, Mapping[str, Any]], *, thread: str, session: Session | None = None
    ) -> Turn:
        """Answer the questions a turn waits for, by their ids, and finish it. Raises InputRefused for another id.

        An answer is ``{"type": "approve" | "reject", "message"?, "by"?: {"user_id", "roles"}}``.
        """
        return await _last(self.stream_resumed(answers, thread=thread, session=session))

    def stream(self, question: str, *, thread: str, session: Session | None = None) -> AsyncGenerator[Event]:
        """The events of a turn as they happen, ``Finished`` last. Raises InputRefused at once."""
        text = check_question(question, limit=self.declared.max_question)
        given = {"messages": [HumanMessage(text)]}
        return self._events(given, text, thread, session or Session())

    async def stream_resumed(
        self, answers: Mapping[str, Mapping[str, Any]], *, thread: str, session: Session | None = None
    ) -> AsyncGenerator[Event]:
        """As ``resume``, event by event."""
        waiting = {question.id for question in await self.waiting(thread)}
        if unknown := sorted(set(answers) - waiting):
            # Resuming with it would run nothing and give the last answer again, as if that were what came of it.
            raise InputRefused(
                f"no question {unknown[0]!r} waits in the thread {thread!r} (waiting: {', '.join(waiting) or 'none'})",
                fix="answer one that waits; a question is gone once it was answered or the conversation went on",
            )
        given: Command[Any] = Command(resume={key: {"decisions": [dict(value)]} for key, value in answers.items()})
        async with aclosing(self._events(given, "", thread, session or Session())) as events:
            async for event in events:
                yield event

    async def waiting(self, thread: str) -> list[Question]:
        """The questions this thread waits for. Empty: none."""
        state = await self.graph.aget_state(_config(thread))
        return [_question(interrupt) for interrupt in state.interrupts]

    async def _events(self, given: Any, text: str, thread: str, session: Session) -> AsyncGenerator[Event]:
        # The turn runs in a task of its own: a generator may be resumed in another context than it was started in,
        # and an open span must be closed in the context that opened it.
        queue: asyncio.Queue[Event] = asyncio.Queue()
        task = asyncio.create_task(self._turn(given, text, thread, session, queue))
        try:
            while True:
                waiter = asyncio.create_task(queue.get())
                await asyncio.wait({waiter, task}, return_when=asyncio.FIRST_COMPLETED)
                if not waiter.done():
                    waiter.cancel()
                    task.result()
                    return
                event = waiter.result()
                yield event
                if isinstance(event, Finished):
                    return
        finally:
            if not task.done():
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _turn(self, given: Any, text: str, thread: str, session: Session, queue: asyncio.Queue[Event]) -> None:
        started = time.monotonic()
        who = session_values(session).get("user_id")
        attributes = words.turn(agent=self.name, thread=thread, user_id=who, question=text)
        with span(f"turn {self.name}", "AGENT", attributes) as opened:
            collected = _Collected()
            try:
                with deadline(self.declared.deadline):
                    async for event in self._run(given, thread, session):
                        collected.take(event)
                        queue.put_nowait(event)
                turn = await self._ended(thread, collected)
            except Exception as error:  # noqa: BLE001  told, not raised: the caller gets the calls that were made
                turn = await self._failed(thread, collected, error, opened)
            turn = _stamped(turn, opened, collected, time.monotonic() - started)
            opened.set(words.turn_outcome(answer=turn.text, outcome=turn.outcome, any_new=collected.any_new))
        queue.put_nowait(Finished(turn=turn))

    async def _run(self, given: Any, thread: str, session: Session) -> AsyncGenerator[Event]:
        stream: Any = self.graph.astream(  # pyright: ignore[reportUnknownMemberType]  its kwargs are untyped
            given,
            _config(thread, steps=self.declared.max_steps),
            context=session,
            stream_mode=["custom", "messages"],
            durability="sync",
        )
        async with aclosing(cast("AsyncGenerator[tuple[str, Any]]", stream)) as parts:
            async for mode, part in parts:
                if mode == "custom" and isinstance(part, dict):
                    if event := _custom(cast("dict[str, Any]", part)):
                        yield event
                elif mode == "messages" and isinstance(part[0], AIMessageChunk) and part[0].text:
                    yield Token(text=part[0].text)

    async def _ended(self, thread: str, collected: _Collected) -> Turn:
        snapshot = await self.graph.aget_state(_config(thread))
        if snapshot.interrupts:
            questions = [_question(interrupt) for interrupt in snapshot.interrupts]
            return Turn(agent=self.name, thread=thread, outcome="waiting", questions=questions)
        values = cast("State", snapshot.values)
        answer = values.get("answer")
        if answer is None:
            text = _last_text(values.get("messages", []))
            return self._told(Turn(agent=self.name, thread=thread, outcome="answered", text=text))
        turn = Turn(
            agent=self.name,
            thread=thread,
            outcome=answer["outcome"],
            text=answer["text"],
            citations=answer["citations"],
        )
        return self._told(turn)

    def _told(self, turn: Turn) -> Turn:
        return replace(turn, model=self.model, notice=self.notice)

    async def _failed(self, thread: str, collected: _Collected, error: Exception, opened: Span) -> Turn:
        message = str(error) if isinstance(error, BailiwickError) else f"{type(error).__name__}: {error}"
        opened.inner.record_exception(error)
        opened.fail(type(error).__name__, message)
        if self.watch is not None:
            path = ErrorPath(
                agent=self.name, node="turn", tool="", error_type=type(error).__name__, exit_cause="", outcome="fatal"
            )
            collected.saw(await asyncio.to_thread(self.watch.saw, path, opened, message))
        return self._told(Turn(agent=self.name, thread=thread, outcome="failed", error=message))


class _Collected:
    """What the events of one turn add up to."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []
        self.passages: list[Mapping[str, Any]] = []
        self.degraded: list[str] = []
        self.error_paths: list[str] = []
        self.any_new = False

    def take(self, event: Event) -> None:
        match event:
            case Called(record=record):
                self.calls.append(record)
                if record.error_path:
                    self.error_paths.append(record.error_path)
                    self.any_new |= record.error_path_state in ("new", "regressed")
            case Retrieved():
                self.passages.extend(event.passages)
                self.degraded.extend(event.degraded)
            case _:
                pass

    def saw(self, sighting: Any) -> None:
        self.error_paths.append(sighting.fingerprint)
        self.any_new |= sighting.state in ("new", "regressed")


def _stamped(turn: Turn, opened: Span, collected: _Collected, seconds: float) -> Turn:
    return replace(
        turn,
        calls=tuple(collected.calls),
        passages=tuple(collected.passages),
        degraded=tuple(collected.degraded),
        error_paths=tuple(dict.fromkeys(collected.error_paths)),
        trace_id=opened.trace_id,
        span_id=opened.span_id,
        seconds=round(seconds, 3),
    )


def _custom(part: dict[str, Any]) -> Event | None:
    if "call" in part:
        return Called(record=CallRecord(**part["call"]))
    if "passages" in part:
        retrieval = part["retrieval"]
        return Retrieved(passages=part["passages"], mode=retrieval["mode"], degraded=retrieval["degraded"])
    return None


def _question(interrupt: Interrupt) -> Question:
    action = interrupt.value["action_requests"][0]
    return Question(id=interrupt.id, tool=action["name"], args=action["args"], reason=action.get("description", ""))


def _last_text(messages: list[AnyMessage]) -> str:
    return next((message.text for message in reversed(messages) if isinstance(message, AIMessage)), "")


def _config(thread: str, *, steps: int = 8) -> RunnableConfig:
    # Two supersteps per request (think, act) and the two at the ends; LangGraph's own default is ten thousand.
    return {"configurable": {"thread_id": thread}, "recursion_limit": 2 * steps + 6}


async def _last(events: AsyncGenerator[Event]) -> Turn:
    async with aclosing(events) as stream:
        async for event in stream:
            if isinstance(event, Finished):
                return event.turn
    raise AssertionError("unreachable: every turn ends with Finished")
