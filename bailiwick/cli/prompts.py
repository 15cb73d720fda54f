"""``bailiwick prompts``: which texts the agents were told to be, since when, and back to an earlier one."""

from __future__ import annotations

import difflib
import getpass
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bailiwick.cli.options import AsJson, ProjectFolder, told_errors

if TYPE_CHECKING:
    from bailiwick.prompts import PromptStore, PromptVersion

__all__ = ["prompts"]

prompts = typer.Typer(no_args_is_help=True, help="The agents' prompts: their versions, and back to an earlier one.")

Name = Annotated[str, typer.Argument(help="The prompt's name: that of its agent.")]


@prompts.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="The prompt's name; all of them when not given.")] = None,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Every version, the one in force last, and whether a file says something else by now."""
    with told_errors(), _store(project) as store:
        versions = {each: store.versions(each) for each in ([name] if name else store.names())}
        declared = {each: _declared(project, each) for each in versions}
    if as_json:
        _print_json({each: [_told(v, v is found[-1]) for v in found] for each, found in versions.items()})
        return
    for each, found in versions.items():
        for version in found:
            mark = "*" if version is found[-1] else " "
            who = " ".join(filter(None, [version.by, f"({version.reason})" if version.reason else ""]))
            line = f"{mark} {version.label:<20} {version.digest[:12]}  {_moment(version.at)}  {version.origin}  {who}"
            sys.stdout.write(line.rstrip() + "\n")
        for line in _remarks(found, declared[each]):
            sys.stdout.write(f"  {line}\n")
    if not versions:
        sys.stdout.write("No prompt is kept yet: it is when its agent is first used.\n")


@prompts.command()
def show(
    name: Annotated[str, typer.Argument(help="The prompt's name, or one version of it: support@2, support@1f0c9a…")],
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """The text in force, or that of one version."""
    with told_errors(), _store(project) as store:
        plain, _, which = name.partition("@")
        version = store.version(plain, which or None)
        newest = store.version(plain).number
    if as_json:
        _print_json({**_told(version, version.number == newest), "text": version.text})
    else:
        sys.stdout.write(version.text if version.text.endswith("\n") else f"{version.text}\n")


@prompts.command()
def diff(
    name: Name,
    old: Annotated[
        str | None, typer.Argument(help="A version, by number or digest; the one before when left out.")
    ] = None,
    new: Annotated[str | None, typer.Argument(help="Likewise; the one in force when left out.")] = None,
    project: ProjectFolder = None,
) -> None:
    """What changed from one version to another."""
    with told_errors(), _store(project) as store:
        after = store.version(name, new)
        before = store.version(name, old or max(1, after.number - 1))
    lines = difflib.unified_diff(
        before.text.splitlines(), after.text.splitlines(), before.label, after.label, lineterm=""
    )
    sys.stdout.write("".join(f"{line}\n" for line in lines))


@prompts.command()
def rollback(
    name: Name,
    number: Annotated[int, typer.Argument(help="The version whose text is to be in force again.")],
    reason: Annotated[str, typer.Option(help="Why, for those who look at it later.")] = "",
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Put an earlier text in force, until another is declared. Running agents take it up with their next turn."""
    with told_errors(), _store(project) as store:
        version = store.rollback(name, number, by=getpass.getuser(), reason=reason)
    if as_json:
        _print_json(_told(version, True))
    else:
        sys.stdout.write(f"{version.label} is in force: the text of version {number}.\n")


@contextmanager
def _store(project: Path | None) -> Generator[PromptStore]:
    from bailiwick.database import database_setting, open_database
    from bailiwick.project import Layout, find_root
    from bailiwick.prompts import PromptStore

    layout = Layout(root=find_root(project))
    database = open_database(database_setting() or layout.state)
    try:
        yield PromptStore(database)
    finally:
        database.close()


def _declared(project: Path | None, name: str) -> str:
    """The digest of what the agent's file says now; empty: there is no such agent any more."""
    from bailiwick.errors import ConfigError
    from bailiwick.project import Layout, find_root
    from bailiwick.project.declarations import load_agent
    from bailiwick.prompts import unnumbered

    try:
        return unnumbered(name, load_agent(Layout(root=find_root(project)), name).text).digest
    except ConfigError:
        return ""


def _remarks(found: list[PromptVersion], declared: str) -> list[str]:
    newest = found[-1]
    remarks: list[str] = []
    if newest.declared != newest.digest:
        said = next((v.number for v in reversed(found) if v.digest == newest.declared), None)
        remarks.append(f"{newest.label} is in force by {newest.origin}; what is declared is version {said}")
    if not declared:
        remarks.append("its agent is no longer declared")
    elif declared != newest.declared:
        remarks.append("what is declared by now was never used; it is in force when the agent is next opened")
    return remarks


def _told(version: PromptVersion, in_force: bool) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.number,
        "digest": version.digest,
        "declared": version.declared,
        "at": datetime.fromtimestamp(version.at).astimezone().isoformat(timespec="seconds"),
        "origin": version.origin,
        "by": version.by,
        "reason": version.reason,
        "in_force": in_force,
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(sep=" ", timespec="minutes")


def _print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, indent=2) + "\n")
