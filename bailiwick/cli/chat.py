"""``bailiwick chat AGENT``: a conversation at the terminal, with approvals where a policy asks."""

from __future__ import annotations

import asyncio
import getpass
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bailiwick.cli.options import AgentName, ProjectFolder, Roles, SandboxKind, Thread, User, told_errors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from rich.console import Console

    from bailiwick.agent import Event, LiveAgent, Question, Turn
    from bailiwick.project import Project
    from bailiwick.toolbox import Session

__all__ = ["chat", "converse"]


def chat(
    agent: AgentName,
    thread: Thread = None,
    user: User = None,
    role: Roles = None,
    project: ProjectFolder = None,
    sandbox: SandboxKind = "auto",
) -> None:
    """Talk with an agent. An empty line or Ctrl-D ends it; the conversation can be gone on with by its thread."""
    with told_errors():
        from bailiwick.project import find_root

        asyncio.run(
            _chat(find_root(project), agent, thread or str(uuid4()), user=user, roles=role or [], sandbox=sandbox)
        )


async def _chat(root: Path, agent: str, thread: str, *, user: str | None, roles: list[str], sandbox: Any) -> None:
    from rich.console import Console

    from bailiwick.project import Project
    from bailiwick.toolbox import Session

    console = Console(highlight=False)
    progress = Console(stderr=True, style="dim")
    async with Project.open(root, sandbox=sandbox, on_progress=progress.print) as opened:
        live = opened.agent(agent)
        opened.toolbox.prepare()
        console.print(f"{agent} ({live.model}); an empty line ends it. Thread {thread}", style="dim")
        await converse(console, opened, live, thread=thread, session=Session(user_id=user), roles=roles)
        await asyncio.to_thread(opened.tracing.flush, 3.0)


async def converse(
    console: Console, project: Project, live: LiveAgent, *, thread: str, session: Session, roles: list[str]
) -> None:
    """Take questions until an empty line or the end of input. A turn that was left unfinished is finished first."""
    from bailiwick.cli.show import show_turn

    turn = await live.recover(thread=thread, session=session)
    if turn is not None and not turn.questions:
        show_turn(console, turn, project.tracing.trace_link(turn.trace_id))
    while turn is not None and turn.questions:
        turn = await _answer(console, project, live, list(turn.questions), thread, session, roles)
    while (text := _read("you: ")).strip():
        from bailiwick.errors import InputRefused

        try:
            events = live.stream(text, thread=thread, session=session)
        except InputRefused as error:
            console.print(f"  [red]refused[/] {error}")
            continue
        turn = await _follow(console, project, live, events)
        while turn.questions:
            turn = await _answer(console, project, live, list(turn.questions), thread, session, roles)


async def _answer(
    console: Console,
    project: Project,
    live: LiveAgent,
    questions: list[Question],
    thread: str,
    session: Session,
    roles: list[str],
) -> Turn:
    from bailiwick.cli.show import show_question

    by = {"user_id": getpass.getuser(), "roles": roles}
    answers: dict[str, dict[str, Any]] = {}
    for question in questions:
        show_question(console, question)
        said = _read(f"  approve, as {by['user_id']} ({', '.join(roles) or 'no role'})? Or say why not. [y/N] ").strip()
        if said.lower() in ("y", "yes"):
            answers[question.id] = {"type": "approve", "by": by}
        else:
            answers[question.id] = {"type": "reject", "by": by, "message": "" if said.lower() in ("n", "no") else said}
    return await _follow(console, project, live, live.stream_resumed(answers, thread=thread, session=session))


async def _follow(console: Console, project: Project, live: LiveAgent, events: AsyncGenerator[Event]) -> Turn:
    """Show a turn as it happens. The answer's words appear as the model says them, where it streams."""
    from dataclasses import replace

    from bailiwick.agent import BrokenOff, Finished, Token
    from bailiwick.cli.show import show_event, show_turn

    streamed = ""
    async for event in events:
        match event:
            case Token(text=text):
                if not streamed:
                    console.print(f"  [bold]{live.name}:[/] ", end="")
                console.print(text, end="", markup=False)
                streamed += text
            case BrokenOff():
                console.print(" … [dim](it broke off, and is asked again)[/]" if streamed else "", end="\n")
                streamed = ""
            case Finished(turn=turn):
                if streamed:
                    console.print()
                shown = replace(turn, text="") if streamed.endswith(turn.text) and turn.text else turn
                show_turn(console, shown, project.tracing.trace_link(turn.trace_id))
                return turn
            case _:
                show_event(console, event)
    raise AssertionError("unreachable: every turn ends with Finished")


def _read(prompt: str) -> str:
    """A line from the terminal; the end of input is an empty one.

    It holds the event loop, where nothing else waits. A thread would hold up the end of the program instead: nobody
    can take a thread out of ``input``. asyncio's own handler would swallow the first Ctrl-C.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return input(prompt)
    except EOFError:
        return ""
    finally:
        signal.signal(signal.SIGINT, before)
