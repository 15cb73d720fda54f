"""``bailiwick up``: what a project needs besides its files – Phoenix, a sandbox, and the knowledge in its index."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bailiwick.cli.options import AsJson, ProjectFolder, SandboxKind, told_errors

if TYPE_CHECKING:
    from rich.console import Console

    from bailiwick.project import Layout

__all__ = ["up"]


def up(
    project: ProjectFolder = None,
    sandbox: SandboxKind = "auto",
    port: Annotated[
        int | None,
        typer.Option(help="Where Phoenix listens on this machine; PHOENIX_COLLECTOR_ENDPOINT or 6006 when not given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start Phoenix and keep it running; make the sandbox's image; take in the knowledge. Ctrl-C stops it cleanly."""
    with told_errors():
        from rich.console import Console

        from bailiwick.project import Layout, find_root
        from bailiwick.tracing import PhoenixServer, phoenix_endpoint

        layout = Layout(root=find_root(project))
        console = Console(stderr=True, quiet=as_json, highlight=False)
        stopped = _Stop()
        endpoint = phoenix_endpoint() if port is None else f"http://127.0.0.1:{port}"
        with PhoenixServer.start(layout.phoenix, endpoint=endpoint) as phoenix:
            kind = asyncio.run(_prepare(layout, console, sandbox=sandbox))
            phoenix.wait_ready(timeout=120, on_progress=console.print)
            ready = {"phoenix": phoenix.endpoint, "sandbox": kind, "project": str(layout.root)}
            if as_json:
                sys.stdout.write(json.dumps(ready) + "\n")
                sys.stdout.flush()
            console.print(f"Phoenix is at {phoenix.endpoint}, tools run in {kind}; Ctrl-C stops it")
            if phoenix.endpoint != phoenix_endpoint():
                console.print(f"so that agents find it: export PHOENIX_COLLECTOR_ENDPOINT={phoenix.endpoint}")
            while not stopped.wait(0.5):
                phoenix.check()
        console.print("stopped")


async def _prepare(layout: Layout, console: Console, *, sandbox: Any) -> str:
    """Open the project once, so that image, tools and policies are found good, and take in its knowledge.

    Gives the sandbox's kind. Raises whatever is wrong with the project.
    """
    from bailiwick.project import Project

    async with Project.open(layout.root, sandbox=sandbox, phoenix=None, on_progress=console.print) as project:
        if layout.knowledge.is_dir():
            with console.status("knowledge") as status:
                report = await asyncio.to_thread(
                    project.knowledge.ingest,
                    [layout.knowledge],
                    on_progress=lambda told: status.update(str(told)),
                )
            console.print(
                f"knowledge: {report.added} passages added, {report.unchanged} unchanged, {report.removed} removed"
            )
            for letter in report.dead_letters:
                console.print(f"not taken in: {letter.source}: {letter.reason}", style="red", soft_wrap=True)
        return project.toolbox.sandbox.kind


class _Stop:
    """Set by Ctrl-C or a polite kill; the first one ends the wait, a second one the program."""

    def __init__(self) -> None:
        import threading

        self._event = threading.Event()
        self._before = {which: signal.signal(which, self._set) for which in (signal.SIGINT, signal.SIGTERM)}

    def _set(self, *_: object) -> None:
        self._event.set()
        for which, handler in self._before.items():
            signal.signal(which, handler)

    def wait(self, seconds: float) -> bool:
        return self._event.wait(seconds)
