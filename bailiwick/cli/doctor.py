"""``bailiwick doctor``: what is here, what is missing, and how to get it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from bailiwick.cli.options import AsJson, ProjectFolder, told_errors
from bailiwick.finding import Finding

__all__ = ["doctor"]


def doctor(project: ProjectFolder = None, as_json: AsJson = False) -> None:
    """Say what is here: engine, bubblewrap, Phoenix, model, project, database; exit 1 when no tool could run."""
    with told_errors():
        from bailiwick.sandbox import diagnose
        from bailiwick.tracing import diagnose_phoenix

        findings = [*diagnose(), *diagnose_phoenix(), _model(), *_project(project)]
    usable = any(found.ok for found in findings if found.name in ("docker", "bubblewrap"))
    if as_json:
        document: dict[str, Any] = {"ok": usable, "findings": [asdict(found) for found in findings]}
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        _print(findings, usable)
    if not usable:
        raise typer.Exit(1)


def _print(findings: list[Finding], usable: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, show_header=False, padding=(0, 1))
    for found in findings:
        table.add_row("[green]✓[/]" if found.ok else "[yellow]–[/]", found.name, found.detail)
        if found.fix and not found.ok:
            table.add_row("", "", f"[dim]{found.fix}[/]")
    console.print(table)
    if not usable:
        console.print("[red]no sandbox is here, so no tool may run[/]")


def _model() -> Finding:
    from bailiwick.errors import ModelNotConfigured
    from bailiwick.models import configured_name, resolve_model

    name = configured_name()
    if name is None:
        return Finding(
            name="model",
            ok=False,
            detail="none is configured: agents answer by their offline rules",
            fix="set BAILIWICK_MODEL to provider:model (such as openai:gpt-5) and the provider's key",
        )
    try:
        resolve_model(name)
    except ModelNotConfigured as error:
        return Finding(name="model", ok=False, detail=error.message, fix=error.fix or "")
    where = os.environ.get("BAILIWICK_MODEL_BASE_URL")
    return Finding(name="model", ok=True, detail=name + (f" at {where}" if where else ""))


def _project(folder: Path | None) -> list[Finding]:
    from bailiwick.errors import ConfigError
    from bailiwick.gate import check_tests
    from bailiwick.policy import load_policies
    from bailiwick.project import Layout, agent_names, find_root

    try:
        layout = Layout(root=find_root(folder))
        agents = agent_names(layout)
        policies = load_policies(layout.policies)
        for policy in policies.values():
            check_tests(policy)
    except ConfigError as error:
        return [Finding(name="project", ok=False, detail=str(error), fix=error.fix or "")]
    return [
        Finding(
            name="project",
            ok=True,
            detail=f"{layout.root}: agents {', '.join(agents) or 'none'}; {len(policies)} policies, their tests pass",
        ),
        _database(layout.state),
    ]


def _database(file: Path) -> Finding:
    """Where conversations and calls are kept. A file is not made by looking."""
    from bailiwick.database import database_setting, open_database
    from bailiwick.errors import ConfigError

    if (setting := database_setting()) is None:
        made = "" if file.exists() else ", made when it is first needed"
        return Finding(name="database", ok=True, detail=f"SQLite in {file}{made}")
    try:
        database = open_database(setting)
    except ConfigError as error:
        return Finding(name="database", ok=False, detail=error.problem, fix=error.fix or "")
    try:
        return Finding(name="database", ok=True, detail=f"{database.kind}: {database.where}")
    finally:
        database.close()
