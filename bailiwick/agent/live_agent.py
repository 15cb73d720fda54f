"""An agent at work: its compiled graph, and turns with their events, deadline and trace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Interrupt, StreamMode

from bailiwick.agent.declaration import Agent
from bailiwick.agent.events import BrokenOff, Called, Event, Finished, Question, Retrieved, Token, Turn
from bailiwick.agent.question import check_question
from bailiwick.database import Database, hold
from bailiwick.errors import BailiwickError, GraphLimit, InputRefused, ThreadBusy
from bailiwick.graph import State
from bailiwick.resilience import deadline, seconds_left
from bailiwick.toolbox import CallRecord, Session, listening, question_digest, session_values
from bailiwick.tracing import ErrorPath, ErrorWatch, Span, span
from bailiwick.tracing import conventions as words

__all__ = ["LiveAgent"]

_Given = Callable[[], Awaitable[Any]]
"""Gives a turn's input once the conversation is its own, or raises what is wrong with it."""
_STEPS_FIX = "look at the graph's edges for a loop, or give the agent more max_steps"


@dataclass(frozen=True, kw_only=True)
class LiveAgent:
    """A declared agent bound to its model, tools and checkpointer."""

    name: str
    declared: Agent
    graph: CompiledStateGraph[Any, Any, Any, Any]
    model: str
    notice: str = ""
    watch: ErrorWatch | None = None
    database: Database | None = None
    """Where a conversation is held while a turn of it runs. None: turns at once are the caller's business."""

    async def ask(self, question: str, *, thread: str, session: Session | None = None) -> Turn:
        """A whole turn. Every failure of it is in the Turn.

        Raises InputRefused and ThreadBusy, before anything is stored.
        """
        return await self._turn(self._asked(question), question, thread, session or Session())

    async def resume(
        self, answers: Mapping[str, Mapping[str, Any]], *, thread: str, session: Session | None = None
    ) -> Turn:
        """Answer the questions a turn waits for, by their ids, and finish it. Raises InputRefused for another id.

        An answer is ``{"type": "approve" | "reject", "message"?, "by"?: {"user_id", "roles"}}``. Raises ThreadBusy as
        ``ask`` does.
        """
        return await self._turn(self._resumed(answers, thread), "", thread, session or Session())

    async def recover(self, *, thread: str, session: Session | None = None) -> Turn | None:
        """Finish the turn that a process left unfinished when it died; None: there is none.

        What the ledger knows to have run is not run again. A turn that waits for answers waits for the same ones.
        """
        try:
            return await self._turn(self._left_over(thread), "", thread, session or Session())
        except _NothingLeft:
            return None

    def stream(self, question: str, *, thread: str, session: Session | None = None) -> AsyncGenerator[Event]:
        """The events of a turn as they happen, ``Finished`` last. Raises InputRefused at once, and ThreadBusy."""
        given = self._asked(question)
        return self._events(given, question, thread, session or Session())

    def stream_resumed(
        self, answers: Mapping[str, Mapping[str, Any]], *, thread: str, session: Session | None = None
    ) -> AsyncGenerator[Event]:
        """As ``resume``, event by event."""
        return self._events(self._resumed(answers, thread), "", thread, session or Session())

    async def waiting(self, thread: str) -> list[Question]:
        """The questions this thread waits for. Empty: none."""
        state = await self.graph.aget_state(_config(thread))
        return [_question(interrupt) for interrupt in state.interrupts]

    def _asked(self, question: str) -> _Given:
        text = check_question(question, limit=self.declared.max_question)

        async def given() -> Any:
            return {"messages": [HumanMessage(text)]}

        return given

    def _resumed(self, answers: Mapping[str, Mapping[str, Any]], thread: str) -> _Given:
        async def given() -> Any:
            state = await self.graph.aget_state(_config(thread))
            waiting = {_question(interrupt).id: interrupt for interrupt in state.interrupts}
            if unknown := sorted(set(answers) - waiting.keys()):
                # Resuming with it would run nothing and give the last answer again, as if that were what came of it.
                known = ", ".join(waiting) or "none"
                raise InputRefused(
                    f"no question {unknown[0]!r} waits in the thread {thread!r} (waiting: {known})",
                    fix="answer one that waits; a question is gone once it was answered or the conversation went on",
                )
            return Command(resume={waiting[key].id: _decided(waiting[key], value) for key, value in answers.items()})

        return given

    def _left_over(self, thread: str) -> _Given:
        async def given() -> Any:
            # Not ``next``: it leaves out what has run and was not yet written down as a step of the conversation. Who
            # waits for an answer is run as well, since the answer may have come just before the process died.
            if not (await self.graph.aget_state(_config(thread))).tasks:
                raise _NothingLeft

        return given

    async def _events(self, given: _Given, text: str, thread: str, session: Session) -> AsyncGenerator[Event]:
        # The turn runs in a task of its own: a generator may be resumed in another context than it was started in,
        # and an open span must be closed in the context that opened it.
        queue: asyncio.Queue[Event] = asyncio.Queue()
        task = asyncio.create_task(self._turn(given, text, thread, session, queue.put_nowait))
        try:
            while True:
                waiter = asyncio.create_task(queue.get())
                await asyncio.wait({waiter, task}, return_when=asyncio.FIRST_COMPLETED)
                if not waiter.done():
                    waiter.cancel()
                    yield Finished(turn=task.result())
                    return
                yield waiter.result()
        finally:
            if not task.done():
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _turn(
        self, given: _Given, text: str, thread: str, session: Session, tell: Callable[[Event], None] | None = None
    ) -> Turn:
        """One turn, alone in its conversation. ``tell`` None: nobody listens, and tokens are not asked for."""
        with deadline(self.declared.deadline):
            async with AsyncExitStack() as stack:
                if self.database is not None:
                    # Two turns at once would each write a history in which the other never happened.
                    alone = hold(self.database, f"turn:{thread}", seconds=seconds_left(self.declared.deadline))
                    try:
                        await stack.enter_async_context(alone)
                    except TimeoutError:
                        raise ThreadBusy(
                            f"another turn of the conversation {thread!r} is running and did not end in time",
                            fix="ask again when it has ended; nothing of this question was stored",
                        ) from None
                return await self._traced(await given(), text, thread, session, tell)

    async def _traced(
        self, given: Any, text: str, thread: str, session: Session, tell: Callable[[Event], None] | None
    ) -> Turn:
        started = time.monotonic()
        who = session_values(session).get("user_id")
        attributes = words.turn(agent=self.name, thread=thread, user_id=who, question=text)
        with span(f"turn {self.name}", "AGENT", attributes) as opened:
            collected = _Collected()
            try:
                if tell is None:
                    with listening(collected.heard):
                        await self._run(given, thread, session, collected)
                else:
                    async for event in self._streamed(given, thread, session, collected):
                        collected.take(event)
                        tell(event)
                turn = await self._ended(thread, collected)
            except GraphRecursionError as error:
                turn = await self._stopped(thread, collected, error, opened)
            except Exception as error:  # noqa: BLE001  told, not raised: the caller gets the calls that were made
                turn = await self._failed(thread, collected, error, opened)
            turn = _stamped(turn, opened, collected, time.monotonic() - started)
            opened.set(words.turn_outcome(answer=turn.text, outcome=turn.outcome, any_new=collected.any_new))
        return turn

    async def _run(self, given: Any, thread: str, session: Session, collected: _Collected) -> None:
        async with aclosing(self._steps(given, thread, session, "values")) as parts:
            async for part in parts:
                collected.saw_values(part)

    def _steps(
        self, given: Any, thread: str, session: Session, mode: StreamMode | list[StreamMode]
    ) -> AsyncGenerator[Any]:
        stream: Any = self.graph.astream(  # pyright: ignore[reportUnknownMemberType]  its kwargs are untyped
            given,
            _config(thread, steps=self.declared.max_steps),
            context=session,
            stream_mode=mode,
            durability="sync",
        )
        return stream

    async def _streamed(
        self, given: Any, thread: str, session: Session, collected: _Collected
    ) -> AsyncGenerator[Event]:
        async with aclosing(self._steps(given, thread, session, ["custom", "values", "messages"])) as parts:
            async for mode, part in parts:
                if mode == "values":
                    collected.saw_values(part)
                elif mode == "custom" and isinstance(part, dict):
                    if event := _custom(cast("dict[str, Any]", part)):
                        yield event
                elif mode == "messages" and isinstance(part[0], AIMessageChunk) and part[0].text:
                    yield Token(text=part[0].text)

    async def _ended(self, thread: str, collected: _Collected) -> Turn:
        # Asked of the checkpoint: a question that waits since an earlier run is not among those of this one.
        if collected.interrupted and (questions := await self.waiting(thread)):
            return Turn(agent=self.name, thread=thread, outcome="waiting", questions=questions)
        values = cast("State", collected.values)
        answer = values.get("answer")
        if not answer:
            text = _last_text(values.get("messages", []))
            return self._told(Turn(agent=self.name, thread=thread, outcome="answered", text=text), values)
        turn = Turn(
            agent=self.name,
            thread=thread,
            outcome=answer["outcome"],
            text=answer["text"],
            citations=answer["citations"],
        )
        return self._told(turn, values)

    async def _stopped(self, thread: str, collected: _Collected, error: Exception, opened: Span) -> Turn:
        """A graph that goes round and round: what it did so far is kept and told."""
        limit = _steps(self.declared.max_steps)
        did = ", ".join(f"{record.tool} ({record.outcome})" for record in collected.calls) or "no call"
        message = f"the graph was stopped at its limit of {limit} steps; done so far: {did}"
        failed = await self._failed(thread, collected, GraphLimit(message, fix=_STEPS_FIX), opened)
        text = _last_text(cast("State", collected.values).get("messages", []))
        return replace(failed, outcome="limit", text=text)

    def _told(self, turn: Turn, values: Mapping[str, Any]) -> Turn:
        """With which model answered, what it says of itself, and what else was tried in this turn."""
        metas = _metas(values.get("messages", []))
        stood_in = metas[-1] if metas and "notice" in metas[-1] else None
        return replace(
            turn,
            model=stood_in["model"] if stood_in else self.model,
            notice=stood_in["notice"] if stood_in else self.notice,
            tried=tuple(words for meta in metas for words in meta.get("tried", ())),
        )

    async def _failed(self, thread: str, collected: _Collected, error: Exception, opened: Span) -> Turn:
        message = str(error) if isinstance(error, BailiwickError) else f"{type(error).__name__}: {error}"
        opened.inner.record_exception(error)
        opened.fail(type(error).__name__, message)
        if self.watch is not None:
            path = ErrorPath(
                agent=self.name, node="turn", tool="", error_type=type(error).__name__, exit_cause="", outcome="fatal"
            )
            collected.saw(await asyncio.to_thread(self.watch.saw, path, opened, message))
        return self._told(Turn(agent=self.name, thread=thread, outcome="failed", error=message), collected.values)


class _Collected:
    """What the events of one turn add up to."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []
        self.passages: list[Mapping[str, Any]] = []
        self.degraded: list[str] = []
        self.error_paths: list[str] = []
        self.any_new = False
        self.values: Mapping[str, Any] = {}
        """The state as the last step left it."""
        self.interrupted = False

    def saw_values(self, values: Mapping[str, Any]) -> None:
        if "__interrupt__" in values:
            self.interrupted = True
        else:
            self.values = values

    def heard(self, event: Mapping[str, Any]) -> None:
        if taken := _custom(event):
            self.take(taken)

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


def _custom(part: Mapping[str, Any]) -> Event | None:
    if "call" in part:
        return Called(record=CallRecord(**part["call"]))
    if "passages" in part:
        retrieval = part["retrieval"]
        return Retrieved(passages=part["passages"], mode=retrieval["mode"], degraded=retrieval["degraded"])
    if "broken_off" in part:
        return BrokenOff(why=part["broken_off"])
    return None


def _question(interrupt: Interrupt) -> Question:
    action = interrupt.value["action_requests"][0]
    # LangGraph's id is that of the task, and the same for all that one task asks in turn: a late approval of the call
    # would be taken for the answer to what is asked next, whether to run it once more.
    reason = action.get("description", "")
    return Question(
        id=f"{interrupt.id}-{question_digest(interrupt.value)}", tool=action["name"], args=action["args"], reason=reason
    )


def _decided(interrupt: Interrupt, answer: Mapping[str, Any]) -> dict[str, Any]:
    return {"decisions": [{**answer, "question": question_digest(interrupt.value)}]}


def _metas(messages: list[AnyMessage]) -> list[Mapping[str, Any]]:
    """What the model's messages since the last question tell of how they came about; empty: as they should."""
    found: list[Mapping[str, Any]] = []
    for message in reversed(messages):
        if message.type == "human":
            break
        if isinstance(message, AIMessage):
            found.insert(0, message.response_metadata.get("bailiwick") or {})
    return found


def _last_text(messages: list[AnyMessage]) -> str:
    return next((message.text for message in reversed(messages) if isinstance(message, AIMessage)), "")


def _config(thread: str, *, steps: int = 8) -> RunnableConfig:
    return {"configurable": {"thread_id": thread}, "recursion_limit": _steps(steps)}


def _steps(requests: int) -> int:
    """Two supersteps per request (think, act) and those at the ends; LangGraph's own default is ten thousand."""
    return 2 * requests + 6


class _NothingLeft(Exception):
    """Raised inside only, when no turn was left unfinished."""
