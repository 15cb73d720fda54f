"""``bailiwick policy suggest``: the least policy that would have let the recorded calls of a tool through."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bailiwick.cli.options import ProjectFolder, told_errors
from bailiwick.cli.recorded_calls import FromFile, FromPhoenix, ProjectName, Since, recorded_conversations

__all__ = ["suggest"]


def suggest(
    tool: Annotated[str, typer.Argument(help="The tool that a policy is wanted for.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Every tool of which a call is recorded.")] = False,
    from_file: FromFile = None,
    phoenix: FromPhoenix = None,
    project_name: ProjectName = None,
    since: Since = "7d",
    write: Annotated[
        bool, typer.Option("--write", help="Put it into policies/TOOL.yaml where there is none yet.")
    ] = False,
    project: ProjectFolder = None,
) -> None:
    """Print the least policy that would have let through the calls that were seen; exit 1 when it cannot do that.

    Calls that were denied widen nothing; those that a person approved become a rule that asks. Read it before use: it
    knows what was seen, and nobody can see what should have been.
    """
    if bool(tool) == every:
        raise typer.BadParameter("name one tool, or give --all", param_hint="TOOL")
    with told_errors():
        from bailiwick.policy.load import read_policies
        from bailiwick.project import Layout, find_root
        from bailiwick.replay.suggestion import suggest as suggested
        from bailiwick.replay.suggestion import tools_seen

        layout = Layout(root=find_root(project))
        if write and tool:
            _refuse_existing(layout.policies / f"{tool}.yaml")
        conversations = recorded_conversations(layout, from_file, phoenix, project_name, since)
        # A policy that cannot be read tells nothing of its tool, and is what one may be writing anew.
        policies, _ = read_policies(layout.policies)
        tools = tools_seen(conversations) if every else [tool]
        made = [suggested(each, conversations, policies=policies, also=tools) for each in tools]
        for each in made:
            file = layout.policies / f"{each.tool}.yaml"
            if every:
                sys.stdout.write(f"--- # {file.relative_to(layout.root)}\n")
            sys.stdout.write(each.text)
            for problem in each.uncovered:
                sys.stderr.write(f"bailiwick: NOT COVERED: {problem}\n")
            for remark in each.remarks:
                sys.stderr.write(f"note: {remark}\n")
        if not made:
            sys.stderr.write("note: no call is recorded that was let through and ran\n")
        if any(each.uncovered for each in made):
            if write:
                sys.stderr.write("bailiwick: nothing was written, since not every call is covered\n")
            raise typer.Exit(1)
        if write:
            for each in made:
                file = layout.policies / f"{each.tool}.yaml"
                if every and file.exists():
                    sys.stderr.write(f"note: {file} is there already and was left as it is\n")
                    continue
                _write(file, each.text)
                sys.stderr.write(f"written: {file}\n")


def _refuse_existing(file: Path) -> None:
    from bailiwick.errors import InputRefused

    if file.exists():
        raise InputRefused(
            f"{file} is there already, and a suggestion replaces no policy",
            fix="leave --write out, and put into it what you want of the suggestion",
        )


def _write(file: Path, text: str) -> None:
    """Whole or not at all, and never over a file that came meanwhile."""
    from bailiwick.errors import InputRefused

    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.stem}-", suffix=".tmp")
    made = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        made.chmod(0o644)
        os.link(made, file)
    except FileExistsError:
        _refuse_existing(file)
        raise
    except OSError as error:
        raise InputRefused(
            f"{file} cannot be written: {error.strerror}", fix="make the folder writable, or leave --write out"
        ) from None
    finally:
        made.unlink(missing_ok=True)
