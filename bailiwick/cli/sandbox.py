"""``bailiwick sandbox``: what the sandbox on this machine is worth."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bailiwick.cli.options import AsJson, SandboxKind, told_errors

if TYPE_CHECKING:
    from rich.console import Console

    from bailiwick.sandbox.contract import Outcome

__all__ = ["sandbox"]

sandbox = typer.Typer(no_args_is_help=True, help="What the sandbox on this machine is worth.")


@sandbox.command()
def attack(sandbox: SandboxKind = "auto", as_json: AsJson = False) -> None:
    """Run every known attack against the sandbox on this machine; exit 1 when any succeeds.

    The attacks are harmless: what would change a kernel is opened and not written, and each runs in its own container.
    """
    with told_errors():
        from rich.console import Console

        console = Console(quiet=as_json, highlight=False)
        kind, outcomes = asyncio.run(_attack(sandbox, console))
        if as_json:
            sys.stdout.write(json.dumps(_document(kind, outcomes)) + "\n")
        _print_total(console, kind, outcomes)
        if any(outcome.ending == "breached" for outcome in outcomes):
            raise typer.Exit(1)


@sandbox.command()
def evidence(
    digest: Annotated[str, typer.Argument(help="bailiwick.sandbox.evidence of a span; eight hex digits will do.")],
) -> None:
    """Show what a container proved before it served: its spec, and its own report of what it can do."""
    with told_errors():
        from bailiwick.sandbox import read_evidence

        sys.stdout.write(json.dumps(read_evidence(digest), indent=2) + "\n")


async def _attack(kind: Any, console: Console) -> tuple[str, list[Outcome]]:
    from bailiwick.sandbox import open_sandbox
    from bailiwick.sandbox.contract import ATTACKS, run_attack

    with console.status("opening the sandbox") as status, tempfile.TemporaryDirectory(prefix="bailiwick-attack-") as at:
        opened = await open_sandbox(kind, on_progress=status.update)
        outcomes: list[Outcome] = []
        try:
            # One after the other: what is judged by its time or by the host's state must not disturb its neighbour.
            for number, each in enumerate(ATTACKS, 1):
                status.update(f"{number}/{len(ATTACKS)}  {each.name}: {each.tried}")
                outcomes.append(await run_attack(opened, each, Path(at)))
                _print(console, outcomes[-1])
        finally:
            await opened.close()
        return opened.kind, outcomes


def _print(console: Console, outcome: Outcome) -> None:
    from rich.markup import escape

    color = {"withstood": "green", "breached": "bold red", "untried": "yellow"}[outcome.ending]
    lines = [f"[{color}]{outcome.ending:<9}[/] {outcome.attack.name:<18} {escape(outcome.attack.tried)}"]
    if outcome.why:
        lines.append(f"{'':<28} [{color}]{escape(outcome.why)}[/]")
    if outcome.ending == "breached":
        lines.append(f"{'':<28} promised: {escape(outcome.attack.promise)}")
    console.print("\n".join(lines), soft_wrap=True)


def _print_total(console: Console, kind: str, outcomes: list[Outcome]) -> None:
    told = f"{kind}: {len(outcomes)} attacks, {_count(outcomes, 'withstood')} withstood"
    breached, untried = _count(outcomes, "breached"), _count(outcomes, "untried")
    told += f", {untried} could not be tried" if untried else ""
    console.print(f"[bold red]{told}, {breached} breached[/]" if breached else f"[green]{told}, none breached[/]")


def _document(kind: str, outcomes: list[Outcome]) -> dict[str, Any]:
    cases = [{"name": each.attack.name, "tried": each.attack.tried, "outcome": str(each)} for each in outcomes]
    endings = ("withstood", "breached", "untried")
    return {"sandbox": kind, "cases": cases, **{ending: _count(outcomes, ending) for ending in endings}}


def _count(outcomes: list[Outcome], ending: str) -> int:
    return sum(outcome.ending == ending for outcome in outcomes)
