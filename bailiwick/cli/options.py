"""Options that several commands share, and how an error of ours is told."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from bailiwick.errors import BailiwickError, ConfigError, InputRefused, ModelNotConfigured

__all__ = ["AgentName", "AsJson", "ProjectFolder", "Roles", "SandboxKind", "Tenant", "Thread", "User", "told_errors"]

AgentName = Annotated[str, typer.Argument(help="The agent's name: that of its file under agents/.")]
ProjectFolder = Annotated[
    Path | None, typer.Option("--project", help="The project's folder; the nearest one above when not given.")
]
Thread = Annotated[str | None, typer.Option(help="The conversation to go on with; a new one when not given.")]
User = Annotated[str | None, typer.Option(help="Who is speaking, as policies compare it: $session.user_id.")]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", help="A role that you hold when you answer questions, such as refund-lead."),
]
SandboxKind = Annotated[
    Literal["auto", "docker", "bubblewrap"], typer.Option("--sandbox", help="What tools run in; there is no 'none'.")
]
Tenant = Annotated[
    str, typer.Option(help="Whose knowledge it is; that of nobody in particular when not given.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for a program to read.")]


@contextmanager
def told_errors() -> Generator[None]:
    """Turn an error of ours into one message on stderr and an exit code: 2 for what was asked wrongly, else 1."""
    try:
        yield
    except BailiwickError as error:
        sys.stderr.write(f"bailiwick: {error}\n")
        wrong_input = isinstance(error, (ConfigError, InputRefused, ModelNotConfigured))
        raise typer.Exit(2 if wrong_input else 1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
