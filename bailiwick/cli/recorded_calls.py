"""Where ``bailiwick policy suggest`` and ``simulate`` have recorded conversations from, and how a call is shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bailiwick.project import Layout
    from bailiwick.replay.recorded import Conversation, RecordedCall

__all__ = ["FromFile", "FromPhoenix", "ProjectName", "Since", "call_in_words", "recorded_conversations"]

FromFile = Annotated[
    Path | None,
    typer.Option(
        "--from", help="A file with spans as Phoenix gives them, or what `ask --json` printed. Not given: Phoenix."
    ),
]
FromPhoenix = Annotated[
    str | None, typer.Option("--phoenix", help="The address of Phoenix; the project's when not given.")
]
ProjectName = Annotated[str | None, typer.Option("--project-name", help="The project's name in Phoenix.")]
Since = Annotated[
    str, typer.Option("--since", help="How far back to read from Phoenix: 12h, 7d; all reads everything.")
]

_SHOWN = 60


def recorded_conversations(
    layout: Layout, file: Path | None, phoenix: str | None, project_name: str | None, since: str
) -> list[Conversation]:
    """From ``file``, else from Phoenix. Raises InputRefused and TracingError with what is wrong."""
    from bailiwick.policy.quantity import parse_duration
    from bailiwick.replay.export_file import read_export
    from bailiwick.replay.from_phoenix import read_phoenix
    from bailiwick.tracing import phoenix_endpoint

    if file is not None:
        return read_export(file)
    try:
        back = None if since == "all" else parse_duration(since)
    except ValueError as error:
        raise typer.BadParameter(f"{since!r} is {error}; or all", param_hint="--since") from None
    return read_phoenix(phoenix or phoenix_endpoint(), project_name or layout.name, since=back)


def call_in_words(call: RecordedCall) -> str:
    """``refund_order(order_id='ORD-000117', amount=714.0) by support``, on one line."""
    args = ", ".join(f"{name}={_shown(value)}" for name, value in call.args.items())
    return f"{call.tool}({args}) by {call.agent or 'nobody'}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
