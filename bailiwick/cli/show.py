"""How a turn looks in a terminal: what was found, each call with its verdict and sandbox, the answer, the link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from bailiwick.agent import Called, Event, Question, Retrieved, Turn
from bailiwick.toolbox import CallRecord

__all__ = ["show_event", "show_question", "show_turn"]

_VERDICTS = {"allow": "green", "ask": "yellow", "deny": "red", "none": "red"}


def show_event(console: Console, event: Event) -> None:
    """Print what happened, where it is worth a line."""
    match event:
        case Retrieved():
            _show_found(console, event)
        case Called(record=record):
            _show_call(console, record)
        case _:
            pass


def show_question(console: Console, question: Question) -> None:
    """Print what waits for a person."""
    console.print(f"  [yellow]ask[/]    {_call(question.tool, question.args)}")
    console.print(f"         waits for a person: {escape(question.reason)}")


def show_turn(console: Console, turn: Turn, link: str = "") -> None:
    """Print the answer with what it cites, and where the trace is."""
    if turn.outcome == "failed":
        console.print(f"  [red]failed[/] {escape(turn.error)}")
        console.print("         the conversation is kept; ask again to go on", style="dim")
    elif turn.outcome == "limit":
        console.print("  [yellow]the step limit was reached; this is what there is so far[/]")
    if turn.text:
        console.print(f"  [bold]{escape(turn.agent)}:[/] {escape(turn.text)}")
    for cited in turn.citations:
        console.print(f"         \\[{cited['number']}] {escape(str(cited['citation']))}", style="dim")
    if turn.notice and turn.text:
        console.print(f"         {escape(turn.notice)}", style="dim italic")
    for line in turn.tried:
        console.print(f"  tried  {escape(line)}", style="dim", soft_wrap=True)
    new = sum(1 for call in turn.calls if call.error_path_state in ("new", "regressed"))
    if new:
        console.print(f"  [bold red]new error path[/] in this turn: {new}")
    if link:
        console.print(f"  trace  {link}", style="dim", soft_wrap=True)


def _show_found(console: Console, found: Retrieved) -> None:
    names = list(dict.fromkeys(str(passage["citation"]) for passage in found.passages))
    text = "; ".join(names) if names else "nothing that fits"
    console.print(f"  [cyan]found[/]  {escape(text)} [dim]({found.mode})[/]")
    for reason in found.degraded:
        console.print(f"         [yellow]degraded:[/] {escape(reason)}")


def _show_call(console: Console, record: CallRecord) -> None:
    color = _VERDICTS[record.decision]
    verdict = record.decision if record.decision != "none" else record.outcome.replace("_", " ")
    console.print(f"  [{color}]{verdict:<6}[/] {_call(record.tool, record.args)}")
    why = (
        f"{record.reason} ({_place(record.where)})" if record.reason and record.where else record.reason or record.error
    )
    if record.approved_by:
        why += f" – approved by {record.approved_by}"
    if why:
        console.print(f"         {escape(why)}", style="dim")
    if record.sandbox:
        console.print(
            f"         {record.outcome} in a fresh {record.sandbox} container: ready in {record.start_ms:.0f} ms,"
            f" ran {record.wall_ms:.0f} ms",
            style="dim",
        )
    if record.outcome not in ("ok", "denied", "rejected"):
        console.print(f"         [red]{escape(record.error_type)}[/]: {escape(record.error)}")
    if record.error_path:
        style = "bold red" if record.error_path_state in ("new", "regressed") else "dim"
        console.print(f"         error path {record.error_path_state}: {record.error_path}", style=style)


def _call(tool: str, args: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{name}={_short(value)}" for name, value in args.items())
    return f"[bold]{escape(tool)}[/]({escape(shown)})"


def _place(where: str) -> str:
    """``refund_order.yaml:24`` of a longer path."""
    return where.rpartition("/")[2]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
