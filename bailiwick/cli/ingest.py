"""``bailiwick ingest PATH…``: documents into the project's knowledge."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bailiwick.cli.options import AsJson, ProjectFolder, told_errors

__all__ = ["ingest"]


def ingest(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files and folders; knowledge/ when not given.")] = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Take documents (markdown, HTML, PDF, CSV, text) into the knowledge; what has not changed is skipped.

    Exit code 1 when a document could not be read; the others are in.
    """
    with told_errors():
        from rich.console import Console
        from rich.progress import Progress

        from bailiwick.project import Layout, find_root
        from bailiwick.retrieval import Knowledge

        layout = Layout(root=find_root(project))
        console = Console(stderr=True, quiet=as_json)
        with Knowledge.open(layout.index) as knowledge, Progress(console=console, transient=True) as bar:
            task = bar.add_task("reading", total=None)
            report = knowledge.ingest(
                paths or [layout.knowledge], on_progress=lambda text: bar.update(task, description=text)
            )
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(report), default=str) + "\n")
    else:
        console.print(f"{report.added} passages added, {report.unchanged} unchanged, {report.removed} removed")
        for letter in report.dead_letters:
            console.print(f"not taken in: {letter.source}: {letter.reason}", style="red", soft_wrap=True)
    if report.dead_letters:
        raise typer.Exit(1)
