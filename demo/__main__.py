"""``make demo``: the support desk takes a written conversation, in the open; then, on a terminal, it is your turn."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule

from bailiwick import Project, Session
from bailiwick.agent import Finished, LiveAgent, Turn
from bailiwick.cli.chat import converse
from bailiwick.cli.show import show_event, show_question, show_turn
from bailiwick.errors import BailiwickError
from bailiwick.project import Layout
from bailiwick.tracing import PhoenixServer, phoenix_endpoint
from demo.conversation import Message, read_conversation
from demo.shop import CUSTOMERS, make_shop

ROOT = Path(__file__).resolve().parent.parent
AGENT = "support"


class Stages:
    """How long what took, for the last line."""

    def __init__(self) -> None:
        self.started = self._mark = time.monotonic()
        self.seconds: dict[str, float] = {}

    def ended(self, name: str) -> None:
        now = time.monotonic()
        self.seconds[name] = round(now - self._mark, 1)
        self._mark = now

    def __str__(self) -> str:
        return ", ".join(f"{name} {seconds:g} s" for name, seconds in self.seconds.items())


async def run(console: Console) -> int:
    layout = Layout(root=ROOT)
    stages = Stages()
    say: Callable[[str], None] = lambda text: console.print(f"· {escape(text)}", style="dim")  # noqa: E731

    with PhoenixServer.start(layout.phoenix, endpoint=phoenix_endpoint()) as phoenix:
        say(f"Phoenix is starting at {phoenix.endpoint}; the desk does not wait for it")
        # Each run begins with the same orders: a third refund of the same lantern would be refused, and rightly.
        make_shop(ROOT / "data", anew=True)
        say("made the shop's orders, tickets and rates in data/")
        async with Project.open(ROOT, on_progress=say) as project:
            stages.ended("sandbox and tools")
            report = await asyncio.to_thread(project.knowledge.ingest, [layout.knowledge], on_progress=None)
            stages.ended("knowledge")
            say(f"tools run in {project.toolbox.sandbox.kind}, a fresh sandbox for every call")
            say(f"knowledge: {report.added} passages added, {report.unchanged} unchanged")
            live = project.agent(AGENT)
            if live.notice:
                say(f"no model is configured, so {live.model} answer; set BAILIWICK_MODEL to use one")

            day = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
            turns: list[Turn] = []
            for number, message in enumerate(read_conversation(), start=1):
                turns.append(await one_message(console, project, live, number, message, f"demo-{day}"))
                if number == 1:
                    stages.ended("first answer")
            stages.ended("the other answers")

            say("waiting for Phoenix to have every trace")
            await asyncio.to_thread(phoenix.wait_ready, timeout=120, on_progress=None)
            delivered = await asyncio.to_thread(project.tracing.flush, 30.0)
            delivered &= await asyncio.to_thread(project.watch.flush, 30.0)
            stages.ended("traces in Phoenix")
            summary(console, turns, stages, delivered=delivered)

            if sys.stdin.isatty() and sys.stdout.isatty():
                console.print(Rule("Your turn: you are Ada (C-1001). An empty line ends it.", style="dim"))
                session = Session(user_id="C-1001")
                roles = ["refund-lead"]
                await converse(console, project, live, thread=f"demo-{day}-you", session=session, roles=roles)
            elif os.environ.get("CI") is None:
                say(
                    "no terminal: stopping what was started; `.venv/bin/bailiwick up` brings Phoenix back for the links"
                )
    return 0 if delivered and all(turn.outcome == "answered" for turn in turns) else 1


async def one_message(
    console: Console, project: Project, live: LiveAgent, number: int, message: Message, run_id: str
) -> Turn:
    console.print(Rule(f"{number}. {message.shows}", align="left", style="dim"))
    console.print(f"  [bold]{CUSTOMERS[message.customer]}:[/] {escape(message.text)}")
    thread = f"{run_id}-{message.customer}"
    session = Session(user_id=message.customer)
    events = live.stream(message.text, thread=thread, session=session)
    while True:
        turn: Turn | None = None
        async for event in events:
            show_event(console, event)
            if isinstance(event, Finished):
                turn = event.turn
        assert turn is not None, "every turn ends with Finished"
        if not turn.questions or message.approver is None:
            break
        console.print(f"  trace  {project.tracing.trace_link(turn.trace_id)}", style="dim", soft_wrap=True)
        by = {"user_id": message.approver.user_id, "roles": list(message.approver.roles)}
        answers = {}
        for question in turn.questions:
            show_question(console, question)
            console.print(f"  [green]{message.approver.decision}d[/] by {message.approver.user_id}")
            answers[question.id] = {"type": message.approver.decision, "by": by}
        events = live.stream_resumed(answers, thread=thread, session=session)
    show_turn(console, turn, project.tracing.trace_link(turn.trace_id))
    return turn


def summary(console: Console, turns: list[Turn], stages: Stages, *, delivered: bool) -> None:
    calls = [call for turn in turns for call in turn.calls]
    verdicts = {kind: sum(call.decision == kind for call in calls) for kind in ("allow", "ask", "deny")}
    paths = {call.error_path: call.error_path_state for call in calls if call.error_path}
    console.print(Rule(style="dim"))
    console.print(
        f"{len(turns)} messages answered, {sum(bool(turn.citations) for turn in turns)} with citations;"
        f" {len(calls)} tool calls: {verdicts['allow']} allowed, {verdicts['ask']} asked, {verdicts['deny']} denied;"
        f" {len(paths)} error paths, {sum(state == 'new' for state in paths.values())} of them new"
    )
    console.print("every trace is in Phoenix" if delivered else "[red]not every trace has reached Phoenix[/]")
    console.print(f"{time.monotonic() - stages.started:.1f} s: {stages}", style="dim")


def main() -> int:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    try:
        return asyncio.run(run(console))
    except BailiwickError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
