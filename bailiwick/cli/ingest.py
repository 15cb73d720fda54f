"""``bailiwick ingest PATH…``: documents into the project's knowledge."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from bailiwick.cli.options import AsJson, ProjectFolder, Tenant, told_errors

__all__ = ["ingest"]

SHOWN = 20
"""Names that are told one by one; ``--json`` has them all."""
WATCH_SECONDS = 300
"""How often what is not in a folder is looked at again under ``--watch``."""


def ingest(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, folders, addresses of pages and sitemaps, .mbox archives, .source.yaml files; knowledge/ when"
            " not given.",
        ),
    ] = None,
    project: ProjectFolder = None,
    tenant: Tenant = "",
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and take in what changes. Ctrl-C ends it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be done.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Only what could not be taken in the last time.")
    ] = False,
    prune_all: Annotated[
        bool, typer.Option("--prune-all", help="Take out what is gone even when more than half of a source is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take documents into the knowledge (markdown, HTML, PDF, DOCX, CSV, JSON, text, tickets, mail, rows of a query).

    What has not changed is skipped, and it may be stopped at any moment and run again. Exit code 1 when a document
    could not be taken in; the others are in.
    """
    with told_errors():
        from bailiwick.project import Layout, find_root
        from bailiwick.retrieval import Knowledge

        layout = Layout(root=find_root(project))
        given = [each if "://" in each else Path(each) for each in paths or []] or [layout.knowledge]
        how = {"dry_run": dry_run, "retry_failed": retry_failed, "prune_all": prune_all}
        with Knowledge.open(layout.index, tenant=tenant) as knowledge:
            if not watch:
                failed = _once(knowledge, given, how, as_json=as_json)
            else:
                with _changes([each for each in given if isinstance(each, Path)]) as changed:
                    while True:
                        failed = _once(knowledge, given, how, as_json=as_json)
                        changed.wait(WATCH_SECONDS)
                        changed.clear()
    if failed:
        raise typer.Exit(1)


def _once(knowledge: Any, given: Sequence[Path | str], how: dict[str, bool], *, as_json: bool) -> bool:
    """Ingest and tell; give whether something could not be taken in."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from bailiwick.retrieval import IngestProgress

    console = Console(stderr=True, quiet=as_json)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[trouble]}"),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task("reading", total=None, rate="", trouble="")

        def show(told: IngestProgress) -> None:
            trouble = [f"{told.skipped} skipped"] if told.skipped else []
            trouble += [f"[red]{told.failed} failed[/]"] if told.failed else []
            bar.update(
                task,
                description=str(told),
                completed=told.done,
                total=told.total,
                rate=f"{told.per_second:.0f}/s" if told.per_second else "",
                trouble=", ".join(trouble),
            )

        report = knowledge.ingest(given, on_progress=show, **how)
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(report), default=str) + "\n")
        sys.stdout.flush()
        return bool(report.dead_letters)
    would = "would be " if report.dry_run else ""
    rate = f" ({report.embedded / report.seconds:.0f} embedded a second)" if report.embedded > 100 else ""
    console.print(
        f"{report.added} passages {would}added, {report.unchanged} unchanged, {report.removed} {would}removed"
        f" in {report.seconds:.1f} s{rate}"
    )
    if report.skipped:
        console.print(f"skipped, since they are no documents: {_few(report.skipped)}", style="dim", soft_wrap=True)
    if report.held_back:
        console.print(
            f"gone, but kept, since more than half of their source is gone at once: {_few(report.held_back)}."
            " Ingest with --prune-all if that is meant",
            style="yellow",
            soft_wrap=True,
        )
    if report.behind:
        console.print(f"not up to date, since they do not answer: {_few(report.behind)}", style="yellow")
    for letter in report.dead_letters[:SHOWN]:
        part = f" (passage {letter.passage[:8]})" if letter.passage else ""
        console.print(f"not taken in: {letter.source}{part}: {letter.reason}", style="red", soft_wrap=True)
    if len(report.dead_letters) > SHOWN:
        console.print(f"… and {len(report.dead_letters) - SHOWN} more: bailiwick knowledge list --failed", style="red")
    return bool(report.dead_letters)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


@contextmanager
def _changes(paths: Sequence[Path]) -> Generator[threading.Event]:
    """An event that is set by whatever changes below ``paths``, from now on, also while an ingestion runs."""
    import watchfiles

    changed, stop, begun = threading.Event(), threading.Event(), threading.Event()

    def look() -> None:
        for changes in watchfiles.watch(*paths, stop_event=stop, yield_on_timeout=True, rust_timeout=200):
            if changes:
                changed.set()
            begun.set()  # it looks from here on

    thread = threading.Thread(target=look, name="bailiwick-watch", daemon=True)
    if paths:
        thread.start()
        begun.wait(10)
    try:
        yield changed
    finally:
        stop.set()
        if paths:
            thread.join(5)
