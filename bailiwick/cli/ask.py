"""``bailiwick ask AGENT "…"``: one turn, for a person or a program."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from bailiwick.cli.options import AgentName, AsJson, ProjectFolder, Roles, SandboxKind, Thread, User, told_errors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bailiwick.agent import Event, LiveAgent, Turn
    from bailiwick.project import Project
    from bailiwick.toolbox import Session

__all__ = ["ask"]


def ask(
    agent: AgentName,
    question: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")] = "",
    thread: Thread = None,
    user: User = None,
    role: Roles = None,
    attach: Annotated[list[Path] | None, typer.Option(help="A file to send along (.pdf or .txt).")] = None,
    approve: Annotated[list[str] | None, typer.Option(help="Approve the waiting question of this id.")] = None,
    reject: Annotated[list[str] | None, typer.Option(help="Reject the waiting question of this id.")] = None,
    message: Annotated[str, typer.Option(help="What the model is told with a rejection, such as what you found.")] = "",
    recover: Annotated[bool, typer.Option("--recover", help="Finish the turn that a crash left unfinished.")] = False,
    project: ProjectFolder = None,
    sandbox: SandboxKind = "auto",
    as_json: AsJson = False,
) -> None:
    """Ask an agent one question and print its answer, with citations, tool calls and the link to the trace.

    A call that waits for a person ends the turn: answer it with --thread ID --approve ID (or --reject ID).
    """
    text = sys.stdin.read() if question == "-" else question
    decisions: dict[str, dict[str, Any]] = {}
    by = {"user_id": getpass.getuser(), "roles": role or []}
    for kind, ids in (("approve", approve), ("reject", reject)):
        decisions |= {each: {"type": kind, "by": by, "message": message} for each in ids or ()}
    if (decisions or recover) and not thread:
        raise typer.BadParameter("an answer needs the conversation it belongs to", param_hint="--thread")

    with told_errors():
        from bailiwick.project import find_root

        failed = asyncio.run(
            _ask(
                find_root(project),
                agent,
                text,
                decisions,
                recover=recover,
                thread=thread or str(uuid4()),
                user=user,
                attach=attach or [],
                sandbox=sandbox,
                as_json=as_json,
            )
        )
    if failed:
        raise typer.Exit(1)


async def _ask(
    root: Path,
    agent: str,
    text: str,
    decisions: dict[str, dict[str, Any]],
    *,
    recover: bool,
    thread: str,
    user: str | None,
    attach: list[Path],
    sandbox: Any,
    as_json: bool,
) -> bool:
    from rich.console import Console

    from bailiwick.agent import Finished
    from bailiwick.cli.attachment import with_attachments
    from bailiwick.cli.show import show_event, show_question, show_turn
    from bailiwick.project import Project
    from bailiwick.toolbox import Session

    console = Console(quiet=as_json, highlight=False)
    progress = Console(stderr=True, quiet=as_json, style="dim")
    async with Project.open(root, sandbox=sandbox, on_progress=progress.print) as project:
        live = project.agent(agent)
        session = Session(user_id=user)
        if recover:
            events = _recovered(live, thread, session)
        elif decisions:
            events = live.stream_resumed(decisions, thread=thread, session=session)
        else:
            events = live.stream(with_attachments(text, attach, project.layout), thread=thread, session=session)
        async for event in events:
            show_event(console, event)
            if isinstance(event, Finished):
                turn = event.turn
                for question in turn.questions:
                    show_question(console, question)
                    console.print(
                        f"         bailiwick ask {agent}{f' --user {user}' if user else ''} --thread {thread}"
                        f" --approve {question.id}  (or --reject; --role ROLE says what you are)",
                        style="dim",
                        soft_wrap=True,
                    )
                show_turn(console, turn, project.tracing.trace_link(turn.trace_id))
                console.print(f"  thread {thread}", style="dim")
                if as_json:
                    sys.stdout.write(json.dumps(_document(turn, project), ensure_ascii=False, default=str) + "\n")
                delivered = await asyncio.to_thread(project.tracing.flush, 3.0)
                if not delivered:
                    progress.print(
                        "Phoenix does not answer: this turn's trace is kept and sent once `bailiwick up` runs"
                    )
                return turn.outcome == "failed"
    raise AssertionError("unreachable: every turn ends with Finished")


async def _recovered(live: LiveAgent, thread: str, session: Session) -> AsyncGenerator[Event]:
    from bailiwick.agent import Finished
    from bailiwick.errors import InputRefused

    turn = await live.recover(thread=thread, session=session)
    if turn is None:
        raise InputRefused(f"no turn of the thread {thread!r} was left unfinished", fix="ask it something")
    yield Finished(turn=turn)


def _document(turn: Turn, project: Project) -> dict[str, Any]:
    return {**turn.as_dict(), "trace_link": project.tracing.trace_link(turn.trace_id)}
